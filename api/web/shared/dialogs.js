// Dialogs: confirmation of a deletion, and a prompt for one line of text.

import { $ } from './dom.js';
import { bind } from './i18n.js';

function shown(dialog) {
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

/** Confirm a deletion: resolves to a boolean. `title` is a key, `text` [key, params]. */
export function confirmDelete(title, text) {
  bind($('confirm-title'), title);
  bind($('confirm-text'), ...text);
  return shown($('confirm'));
}

/** Prompt for one line of text; null if canceled. `title` and `label` are keys, `value` is the initial text. */
export async function askForText(title, label, value, { maxLength = 200, required = true } = {}) {
  bind($('prompt-title'), title);
  bind($('prompt-label'), label);
  const input = $('prompt-text');
  Object.assign(input, { value, maxLength, required });
  $('prompt-cancel').onclick = () => $('prompt').close('no'); // not a submit button: Enter activates the first submit button
  const answer = shown($('prompt'));
  input.select();
  return (await answer) ? input.value.trim() : null;
}
