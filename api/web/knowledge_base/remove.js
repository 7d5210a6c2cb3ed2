// The dialog that deletes a knowledge base: it says what goes, and wants the name to be typed.

import { $ } from '../shared/dom.js';
import { bind } from '../shared/i18n.js';

/** Ask; resolves to whether the knowledge base is to be deleted. */
export function askToDelete(kb) {
  const { total } = kb.documents;
  bind($('kb-delete-text'), total ? 'kb_settings.delete_text' : 'kb_settings.delete_text_empty', { n: total, kb: kb.title || kb.name });
  bind($('kb-delete-label'), 'kb_settings.delete_label', { name: kb.name });
  const dialog = $('kb-delete');
  const input = $('kb-delete-name');
  const yes = $('kb-delete-yes');
  input.value = '';
  yes.disabled = true;
  input.oninput = () => {
    yes.disabled = input.value.trim() !== kb.name;
  };
  $('kb-delete-no').onclick = () => dialog.close('no'); // not a submit button: Enter activates the first submit button
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes' && input.value.trim() === kb.name), { once: true });
  });
}
