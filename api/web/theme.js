// Before anything is painted: the colours that were chosen last. A plain script, as modules run too late for that.
try {
  document.documentElement.dataset.theme = localStorage.getItem('holdfast.theme') || 'system';
} catch {
  document.documentElement.dataset.theme = 'system';
}
