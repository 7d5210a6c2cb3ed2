// Dialogs: confirmation of what takes something away, and a prompt for one line of text.

import { $ } from './dom.js';
import { bind } from './i18n.js';

function shown(dialog) {
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

/** Confirm an action: resolves to a boolean. `yes` and `no` are keys, `title` and `text` are a key or [key, params]. */
export function confirmAction(title, text, yes, no) {
  bind($('confirm-title'), ...[title].flat());
  bind($('confirm-text'), ...[text].flat());
  bind($('confirm-yes'), yes);
  bind($('confirm-no'), no);
  return shown($('confirm'));
}

/** Confirm a deletion. */
export const confirmDelete = (title, text) => confirmAction(title, text, 'dialog.delete', 'dialog.keep');

/** Prompt for one line of text; null if canceled. `title` (or [key, params]) and `label` are keys, `value` is the initial text. */
export async function askForText(title, label, value, { maxLength = 200, required = true } = {}) {
  bind($('prompt-title'), ...[title].flat());
  bind($('prompt-label'), label);
  const input = $('prompt-text');
  Object.assign(input, { value, maxLength, required });
  $('prompt-cancel').onclick = () => $('prompt').close('no'); // not a submit button: Enter activates the first submit button
  const answer = shown($('prompt'));
  input.select();
  return (await answer) ? input.value.trim() : null;
}
