// File input: a button for files, one for a folder, and the whole page as a drop target for both.

import { $, notify } from '../shared/dom.js';

export class DropZone {
  /** `onFiles(found, folder)`: [{file, name}] and the name of their common folder, if any. `isOpen()`: whether files are accepted. */
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

  /** Handle drops anywhere on the page, so that the browser does not open the file. */
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

/** A path without its first folder, so that names equal those of the command line. */
const inside = (path) => path.split('/').slice(1).join('/');
const isHidden = (name) => name.split('/').some((part) => part.startsWith('.'));

/** The dropped files. Folders are read recursively, without hidden files. */
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
