// Questions that the page asks: whether something shall be deleted, and for one line of text.

import { $ } from './dom.js';
import { bind } from './i18n.js';

function shown(dialog) {
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

/** Whether to delete: `title` is a key, `text` [key, params]. */
export function confirmDelete(title, text) {
  bind($('confirm-title'), title);
  bind($('confirm-text'), ...text);
  return shown($('confirm'));
}

/** One line of text, or null. `title` and `label` are keys, `value` is what stands there at first. */
export async function askForText(title, label, value, { maxLength = 200, required = true } = {}) {
  bind($('prompt-title'), title);
  bind($('prompt-label'), label);
  const input = $('prompt-text');
  Object.assign(input, { value, maxLength, required });
  $('prompt-cancel').onclick = () => $('prompt').close('no'); // no submit button: Enter takes the first of those
  const answer = shown($('prompt'));
  input.select();
  return (await answer) ? input.value.trim() : null;
}
