// Saves what the API has at a path as a file.

import { download } from '../shared/api.js';
import { announce, h, notify } from '../shared/dom.js';
import { t } from '../shared/i18n.js';
import { save } from '../documents/original.js';

/** Save it while the button is out of use. */
export async function saveAs(button, path, name) {
  button.disabled = true;
  announce(t('audit.exporting'));
  try {
    save(await download(path), name);
    notify(['audit.exported', { name }], 'good');
  } catch (problem) {
    if (problem.status !== 401) notify(problem);
  } finally {
    button.disabled = false;
  }
}

/** A button that saves a file. */
export const saving = (text, path, name) =>
  h('button', { type: 'button', class: 'secondary small', text, on: { click: (event) => saveAs(event.target, path, name) } });
