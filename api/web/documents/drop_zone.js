// Where files come from: a button for files, one for a folder, and the whole page as a place to drop both on.

import { $, notify } from '../shared/dom.js';

export class DropZone {
  /** `onFiles(found, folder)`: [{file, name}] and the name of the one folder they came from, if they did. `isOpen()`: take any? */
  constructor({ onFiles, isOpen }) {
    Object.assign(this, { onFiles, isOpen });
    this.chooser('pick', 'files');
    this.chooser('pick-folder', 'folder');
    this.drops();
  }

  give(found, folder) {
    if (found.length) this.onFiles(found, folder);
    else notify('documents.folder_empty');
  }

  chooser(button, input) {
    $(button).addEventListener('click', () => $(input).click());
    $(input).addEventListener('change', () => {
      const files = [...$(input).files];
      $(input).value = '';
      const folder = files[0]?.webkitRelativePath.split('/')[0];
      const found = files.map((file) => ({ file, name: inside(file.webkitRelativePath) || file.name }));
      this.give(folder ? found.filter(({ name }) => !isHidden(name)) : found, folder);
    });
  }

  /** A file that is dropped anywhere is taken, so that none opens in the browser. */
  drops() {
    let depth = 0;
    const over = (on) => document.body.classList.toggle('dropping', on);
    const files = (event) => this.isOpen() && [...(event.dataTransfer?.types || [])].includes('Files');
    window.addEventListener('dragenter', (event) => files(event) && over((depth += 1) > 0));
    window.addEventListener('dragleave', (event) => files(event) && over((depth -= 1) > 0));
    window.addEventListener('dragover', (event) => files(event) && event.preventDefault());
    window.addEventListener('drop', async (event) => {
      if (!files(event)) return;
      event.preventDefault();
      over((depth = 0) > 0);
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
      const plain = [...event.dataTransfer.files].map((file) => ({ file, name: file.name }));
      if (!entries.some((entry) => entry.isDirectory)) this.give(plain);
      else this.give(await dropped(entries).catch(() => []), entries.length === 1 ? entries[0].name : undefined);
    });
  }
}

/** A path without the folder that it begins with: names are the same as those that the command line gives. */
const inside = (path) => path.split('/').slice(1).join('/');
const isHidden = (name) => name.split('/').some((part) => part.startsWith('.'));

/** The files of what was dropped. Folders are opened; hidden files in them are left out. */
async function dropped(entries) {
  const found = [];
  for (const entry of entries) await collect(entry, '', found);
  return found;
}

async function collect(entry, path, found) {
  if (entry.isFile) {
    found.push({ file: await new Promise((done, fail) => entry.file(done, fail)), name: path + entry.name });
    return;
  }
  const reader = entry.createReader();
  const here = entry.fullPath.split('/').length > 2 ? `${path}${entry.name}/` : '';
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail)); // at most 100 at a time
    if (!some.length) return;
    for (const inner of some) if (!inner.name.startsWith('.')) await collect(inner, here, found);
  }
}
