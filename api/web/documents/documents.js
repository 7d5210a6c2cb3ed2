// The documents panel: documents, uploads and jobs in flight.

import { call } from '../shared/api.js';
import { $, announce, notify } from '../shared/dom.js';
import { t } from '../shared/i18n.js';
import { Batches } from './batches.js';
import { DocumentActions } from './actions.js';
import { DocumentFilter } from './filter.js';
import { DocumentList } from './list.js';
import { DocumentRow } from './row.js';
import { DropZone } from './drop_zone.js';
import { isOver } from './job.js';
import { openOriginal } from './original.js';
import { Uploads } from './uploads.js';

const PAGE = 50;
const SEARCHED = 200; // documents per request when names or tags are searched
const SEARCHES_AT_MOST = 20; // requests before the page asks whether to continue
const ROWS_AT_MOST = 200; // "more" loads rows that newer documents displaced

export class Documents {
  /**
   * `onChange()` when the number of documents or of ready ones may have changed, `onAdd()` when files are given,
   * `onShow(item)` to read a document.
   */
  constructor({ onChange, onAdd, onShow }) {
    this.onChange = onChange;
    this.rows = new Map();
    this.deleted = new Set();
    this.kb = null;
    this.filter = new DocumentFilter(() => this.refilter());
    this.opened = 0;
    this.uploads = new Uploads({
      onProgress: (job, sent, total) => job.row.showUpload(job.file, sent, total),
      onBusy: (job, problem, seconds) => job.row.showBusy(problem, seconds),
      onAccepted: (job, answer) => this.accepted(job, answer),
      onFailed: (job, problem) => job.row.showUploadFailed(job.file, problem),
    });
    const actions = new DocumentActions({
      onChanged: () => {
        this.list.wake(200);
        onChange();
      },
      onStale: (row) => this.refresh(row.id),
      onTags: (item) => this.filter.learn(item),
      onGone: (row) => this.drop(row),
    });
    this.actions = {
      show: (row) => onShow(row.item),
      original: (row) => openOriginal(row.item).catch(notify),
      tags: (row) => actions.tag(row),
      remove: (row) => actions.remove(row),
      control: (row, action) => actions.control(row, action),
      again: (row) => this.start(row.job),
      dismiss: (row) => this.drop(row),
      stop: (row) => {
        this.uploads.cancel(row.job);
        this.drop(row);
      },
    };
    this.batches = new Batches({
      onMoved: () => {
        this.list.wake(300);
        this.onChange();
      },
      onShow: (batch) => this.only(batch),
    });
    this.list = new DocumentList({
      rows: this.rows,
      query: () => ({ kb: this.kb, ...this.filter.query }),
      isBusy: () => this.batches.active,
      onItem: (item, asked) => this.listed(item, asked),
      onNew: (items) => this.arrived(items),
      onMissing: (id) => this.refresh(id),
      onLink: (isUp) => this.link(isUp),
    });
    new DropZone({
      onFiles: (found, folder) => {
        onAdd();
        this.add(found, folder);
      },
      isOpen: () => this.kb,
    });
    $('docs-more').addEventListener('click', () => this.load());
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.batches.pause();
      else {
        this.batches.resume();
        if (this.kb) this.list.wake();
      }
    });
  }

  async open(kb) {
    this.close();
    this.kb = kb;
    await Promise.all([this.batches.open(kb), this.load()]);
  }

  close() {
    this.uploads.close();
    this.batches.close();
    this.kb = null;
    this.filter.clear();
    this.empty();
  }

  /** Show no documents. */
  empty() {
    this.opened += 1;
    this.list.stop();
    this.rows.clear();
    this.cursor = null;
    $('docs').replaceChildren();
    for (const id of ['docs-more', 'docs-empty', 'docs-none']) $(id).hidden = true;
  }

  /** Show the documents of a batch that are in one state. */
  async only(batch) {
    this.filter.reset();
    this.filter.only(batch);
    await this.refilter();
    $('docs-batch').scrollIntoView({ block: 'nearest' });
    $('docs-all').focus();
  }

  /** Reload the list for a changed filter; uploads stay. */
  async refilter() {
    const uploading = [...$('docs').children].filter((element) => !element.dataset.id);
    this.empty();
    $('docs').prepend(...uploading);
    await this.load();
  }

  /** Load the next page of the list; for a search, pages until some documents match. */
  async load() {
    const visit = this.opened;
    $('docs-more').disabled = true;
    $('docs').setAttribute('aria-busy', 'true');
    try {
      let found = 0;
      for (let n = 0; n < SEARCHES_AT_MOST && found < PAGE; n += 1) {
        const page = await this.list.page(this.cursor, this.filter.isLocal ? SEARCHED : PAGE);
        if (visit !== this.opened) return;
        this.cursor = page.next_cursor;
        found += this.append(page.items);
        if (!this.cursor) break;
      }
      $('docs-more').hidden = !this.cursor;
      this.list.wake(500);
    } catch (problem) {
      if (visit !== this.opened || problem.status === 401) return;
      notify(problem);
    } finally {
      if (visit === this.opened) {
        $('docs-more').disabled = false;
        $('docs').setAttribute('aria-busy', 'false');
        this.count();
      }
    }
  }

  /** Add rows for documents that match the filter and have none yet; returns their number. */
  append(items) {
    const fresh = items.filter((item) => !this.rows.has(item.id) && this.filter.matches(item));
    for (const item of fresh) $('docs').append(this.made(item).element);
    items.forEach((item) => this.filter.learn(item));
    return fresh.length;
  }

  made(item) {
    const row = this.row(item.name);
    this.show(row, item);
    return row;
  }

  /** Reload the server's sentences in the current language. */
  async relanguage() {
    if (!this.kb) return;
    this.batches.look();
    this.batches.pause();
    this.batches.resume();
    this.list.wake();
    for (const row of this.rows.values()) {
      if (row.state === 'failed') await this.refresh(row.id);
    }
  }

  row(name) {
    return new DocumentRow(name, this.actions);
  }

  show(row, item) {
    row.showItem(item);
    row.touch();
    this.rows.set(item.id, row);
    if (!isOver(item.state)) this.list.wake(300);
  }

  /** Upload files: one is a row, several are a batch; an archive becomes a batch on the server. */
  add(found, folder) {
    const isArchive = ({ name }) => /\.zip$/i.test(name);
    const plain = found.filter((each) => !isArchive(each));
    const alone = plain.length > 1 ? found.filter(isArchive) : found;
    if (plain.length > 1) this.batches.upload(plain, folder || `${plain[0].name} + ${plain.length - 1}`);
    const jobs = alone.map((each) => ({ ...each, kb: this.kb, row: this.row(each.name) }));
    for (const job of jobs) job.row.job = job;
    $('docs').prepend(...jobs.map((job) => job.row.element));
    this.count();
    jobs.forEach((job) => this.start(job));
  }

  start(job) {
    job.row.showUpload(job.file, null);
    this.uploads.add(job);
  }

  /** Handle the 202 of an upload: its row becomes the document's, or is replaced by an existing row or a batch. */
  accepted(job, { documents, batch_id: batch }) {
    if (job.kb !== this.kb) return;
    announce(t('upload.done', { name: job.name }));
    for (const given of documents) {
      const known = this.rows.get(given.id);
      const row = known || job.row;
      if (known && known !== job.row) {
        job.row.element.replaceWith(known.element);
        known.item.reason = undefined;
      }
      this.show(row, { ...given, bytes: given.bytes ?? job.file.size });
      if (given.unchanged && isOver(given.state)) row.showHint('documents.unchanged');
      if (isOver(given.state)) this.refresh(given.id);
    }
    if (batch) this.batches.join(batch);
    if (!documents.length) this.drop(job.row);
    this.onChange();
  }

  /** Update a document from the list. */
  listed(item, asked) {
    const row = this.rows.get(item.id);
    const before = row.state;
    row.showListed(item, asked);
    if (before !== row.state && isOver(row.state)) this.onChange();
  }

  /** Add documents of other users or of a running batch upload, newest first. */
  arrived(items) {
    const wanted = items.filter((item) => !this.deleted.has(item.id) && this.filter.matches(item));
    const rows = wanted.map((item) => this.made(item).element);
    const first = [...$('docs').children].find((element) => element.dataset.id);
    if (first) first.before(...rows);
    else $('docs').append(...rows);
    this.trim();
    this.count();
  }

  /** Remove the oldest rows, so that the page does not grow with every batch. */
  trim() {
    if (this.rows.size <= ROWS_AT_MOST) return;
    const ids = [...this.rows.keys()].sort().reverse();
    for (const id of ids.slice(ROWS_AT_MOST / 2)) {
      this.rows.get(id).element.remove();
      this.rows.delete(id);
    }
    this.cursor = ids[ROWS_AT_MOST / 2 - 1];
    $('docs-more').hidden = false;
  }

  link(isUp) {
    if (this.linked === isUp) return;
    this.linked = isUp;
    for (const row of this.rows.values()) row.showLink(isUp);
  }

  /** Load one document's details (pages, passages, its reason in this language). */
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

  drop(row) {
    if (!row) return;
    if (row.id) {
      this.rows.delete(row.id);
      this.deleted.add(row.id); // a list requested earlier still contains it
    }
    const hadFocus = row.element.contains(document.activeElement) || document.activeElement === document.body;
    row.element.remove();
    if (hadFocus) $('pick').focus();
    this.count();
    this.onChange();
  }

  count() {
    const isEmpty = $('docs').childElementCount === 0;
    $('docs-empty').hidden = !isEmpty || this.filter.isOn;
    $('docs-none').hidden = !isEmpty || !this.filter.isOn;
  }
}
