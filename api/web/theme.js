// Applies the stored theme before the first paint. A classic script, because modules run too late for that.
try {
  document.documentElement.dataset.theme = localStorage.getItem('holdfast.theme') || 'system';
} catch {
  document.documentElement.dataset.theme = 'system';
}
