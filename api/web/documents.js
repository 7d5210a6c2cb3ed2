// The documents panel: what is there, what is being uploaded, what is under way.

import { call } from './api.js';
import { $, announce, notify } from './dom.js';
import { bind, t } from './i18n.js';
import { DocumentRow } from './document_row.js';
import { isOver } from './job.js';
import { Uploads, droppedFiles } from './uploads.js';
import { Watcher } from './watcher.js';

const PAGE = 50;

export class Documents {
  /** `onChange()` is called when the number of documents or of ready ones may have changed. */
  constructor(onChange) {
    this.onChange = onChange;
    this.rows = new Map();
    this.kb = null;
    this.opened = 0;
    this.uploads = new Uploads({
      onProgress: (job, sent, total) => job.row.showUpload(job.file, sent, total),
      onAccepted: (job, documents) => this.accepted(job, documents),
      onFailed: (job, problem) => job.row.showUploadFailed(job.file, problem),
    });
    this.actions = {
      remove: (row) => this.remove(row),
      retry: (row) => this.start(row.job),
      dismiss: (row) => this.drop(row),
      cancel: (row) => {
        this.uploads.cancel(row.job);
        this.drop(row);
      },
    };
    this.takeFiles();
    $('docs-more').addEventListener('click', () => this.load());
    document.addEventListener('visibilitychange', () => (document.hidden ? this.watcher?.pause() : this.watcher?.resume()));
  }

  async open(kb) {
    this.close();
    this.kb = kb;
    this.watcher = new Watcher({
      onState: (id, job) => this.moved(id, job),
      onLink: (id, isUp) => this.rows.get(id)?.showLink(isUp),
      onLost: (id) => this.refresh(id),
    });
    await this.load();
  }

  close() {
    this.opened += 1;
    this.uploads.close();
    this.watcher?.close();
    this.watcher = null;
    this.rows.clear();
    this.cursor = null;
    this.kb = null;
    $('docs').replaceChildren();
    $('docs-more').hidden = true;
    $('docs-empty').hidden = true;
  }

  /** The next page of the list. */
  async load() {
    const visit = this.opened;
    $('docs-more').disabled = true;
    try {
      const page = await call('GET', `/knowledge-bases/${encodeURIComponent(this.kb)}/documents`,
        { query: { cursor: this.cursor, limit: String(PAGE) } });
      if (visit !== this.opened) return;
      this.cursor = page.next_cursor;
      for (const item of page.items) {
        if (this.rows.has(item.id)) continue;
        const row = this.row(item.name);
        this.show(row, item);
        $('docs').append(row.element);
      }
      $('docs-more').hidden = !this.cursor;
    } catch (problem) {
      if (visit !== this.opened || problem.status === 401) return;
      notify(problem);
    } finally {
      $('docs-more').disabled = false;
      if (visit === this.opened) this.count();
    }
  }

  /** The server's sentences in the language that is now shown. */
  async relanguage() {
    if (!this.kb) return;
    this.watcher.pause();
    this.watcher.resume();
    for (const row of this.rows.values()) {
      if (row.state === 'failed') await this.refresh(row.id);
    }
  }

  row(name) {
    return new DocumentRow(name, this.actions);
  }

  show(row, item) {
    row.showItem(item);
    this.rows.set(item.id, row);
    if (!isOver(item.state)) this.watcher.watch(item.id, item.events_url);
  }

  add(files) {
    const jobs = files.map((file) => ({ file, kb: this.kb, row: this.row(file.name) }));
    for (const job of jobs) job.row.job = job;
    $('docs').prepend(...jobs.map((job) => job.row.element));
    this.count();
    jobs.forEach((job) => this.start(job));
  }

  start(job) {
    job.row.showUpload(job.file, null);
    this.uploads.add(job);
  }

  /** The upload has its 202: the row becomes the document's, or gives way to the row it already has. */
  accepted(job, documents) {
    if (job.kb !== this.kb) return;
    announce(t('upload.done', { name: job.file.name }));
    for (const given of documents) {
      const known = this.rows.get(given.id);
      const unchanged = known && isOver(known.state) && known.item.version === given.version && given.state === 'ready';
      const row = known || job.row;
      if (known && known !== job.row) {
        job.row.element.replaceWith(known.element);
        known.item.reason = undefined;
      }
      this.show(row, { ...given, bytes: given.bytes ?? job.file.size });
      if (unchanged) row.showHint('documents.unchanged');
      else if (isOver(given.state)) this.refresh(given.id);
    }
    this.onChange();
  }

  moved(id, job) {
    const row = this.rows.get(id);
    if (!row) return;
    row.showJob(job);
    if (isOver(job.state)) this.refresh(id);
  }

  /** Ask for one document's facts (pages, passages, its reason in this language). */
  async refresh(id) {
    const visit = this.opened;
    try {
      const item = await call('GET', `/documents/${encodeURIComponent(id)}`);
      const row = this.rows.get(id);
      if (visit === this.opened && row) {
        const late = isOver(row.state) && !isOver(item.state) && item.version === row.item.version;
        row.showItem(late ? { ...item, state: row.state } : item);
      }
    } catch (problem) {
      if (visit === this.opened && problem.status === 404) this.drop(this.rows.get(id));
    }
    if (visit === this.opened) this.onChange();
  }

  async remove(row) {
    if (!(await confirmDelete(row.item.name))) return;
    const before = { ...row.item };
    row.showDeleting();
    try {
      await call('DELETE', `/documents/${encodeURIComponent(row.id)}`);
      this.drop(row);
      announce(t('documents.deleted', { name: row.item.name }));
    } catch (problem) {
      if (problem.status === 404) this.drop(row);
      else {
        row.mark(before.state);
        row.offered = null;
        row.showItem(before);
        notify(problem);
      }
    }
  }

  drop(row) {
    if (!row) return;
    if (row.id) {
      this.watcher?.unwatch(row.id);
      this.rows.delete(row.id);
    }
    const hadFocus = row.element.contains(document.activeElement) || document.activeElement === document.body;
    row.element.remove();
    if (hadFocus) $('pick').focus();
    this.count();
    this.onChange();
  }

  count() {
    $('docs-empty').hidden = $('docs').childElementCount > 0;
  }

  /** The button, and the whole page as a place to drop files on (so that none opens in the browser). */
  takeFiles() {
    $('pick').addEventListener('click', () => $('files').click());
    $('files').addEventListener('change', () => {
      this.add([...$('files').files]);
      $('files').value = '';
    });
    let depth = 0;
    const over = (on) => $('drop').classList.toggle('over', on);
    const files = (event) => this.kb && [...(event.dataTransfer?.types || [])].includes('Files');
    window.addEventListener('dragenter', (event) => files(event) && over((depth += 1) > 0));
    window.addEventListener('dragleave', (event) => files(event) && over((depth -= 1) > 0));
    window.addEventListener('dragover', (event) => files(event) && event.preventDefault());
    window.addEventListener('drop', async (event) => {
      if (!files(event)) return;
      event.preventDefault();
      over((depth = 0) > 0);
      const found = await droppedFiles(event.dataTransfer).catch(() => []);
      if (found.length) this.add(found);
      else notify('documents.folder_empty');
    });
  }
}

function confirmDelete(name) {
  const dialog = $('confirm');
  bind($('confirm-text'), 'documents.delete_text', { name });
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
