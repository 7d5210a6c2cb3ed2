// The documents panel: documents, uploads and jobs in flight.

import { call } from '../shared/api.js';
import { $, announce, notify } from '../shared/dom.js';
import { t } from '../shared/i18n.js';
import { documentsAddress, here, rename, visit as visitAddress } from '../shared/route.js';
import { Adding } from './adding.js';
import { Batches } from './batches.js';
import { BulkChanges } from './bulk.js';
import { DocumentActions } from './actions.js';
import { DocumentFilter } from './filter.js';
import { DocumentList } from './list.js';
import { DocumentRow } from './row.js';
import { Selection } from './selection.js';
import { isOver } from './job.js';
import { openOriginal } from './original.js';

const PAGE = 50;
const NEXT_PAGE = 100;
const ROWS_BY_SCROLLING = 1000; // more only by the button: so many rows make a page slow
const ROWS_AT_MOST = 200; // at the top of the list, where new documents push older ones down
const COUNT_MS = 400;

/** What each role allows besides reading. */
const MAY = {
  operator: { control: true },
  contributor: { control: true, tag: true, add: true },
  manager: { control: true, tag: true, add: true, remove: true },
};

export class Documents {
  /**
   * `onChange()` when the number of documents or of ready ones may have changed, `onAdd()` when files are given,
   * `onShow(item)` to read a document, `onAddress(address)` when the list has another address.
   */
  constructor({ onChange, onAdd, onShow, onAddress }) {
    this.onChange = onChange;
    this.onAddress = onAddress;
    this.rows = new Map();
    this.deleted = new Set();
    this.kb = null;
    this.may = {};
    this.opened = 0;
    this.filter = new DocumentFilter((isTyped) => this.filtered(isTyped));
    const actions = new DocumentActions({
      onChanged: () => {
        this.list.wake(200);
        this.changed();
      },
      onStale: (row) => this.refresh(row.id),
      onTags: (item) => {
        this.filter.learn(item);
        this.judge(this.rows.get(item.id));
      },
      onGone: (row) => this.drop(row),
    });
    this.actions = {
      may: () => this.may,
      show: (row) => onShow(row.item),
      original: (row) => openOriginal(row.item).catch(notify),
      tags: (row) => actions.tag(row),
      remove: (row) => actions.remove(row),
      control: (row, action) => actions.control(row, action),
      select: (row, isRange) => this.selection.toggle(row, isRange),
      again: (row) => this.adding.start(row.job),
      dismiss: (row) => this.adding.cancel(row),
      stop: (row) => this.adding.cancel(row),
    };
    this.batches = new Batches({
      onMoved: () => {
        this.list.wake(300);
        this.changed();
      },
      onShow: (batch) => this.only(batch),
      onSending: () => this.adding.showSending(),
    });
    this.bulk = new BulkChanges({ onMoved: (info, before) => this.bulkMoved(info, before) });
    this.selection = new Selection({
      rows: () => this.listedRows(),
      total: () => this.filter.total,
      onAct: (action) => this.act(action),
    });
    this.list = new DocumentList({
      rows: this.rows,
      query: () => ({ kb: this.kb, ...this.filter.query }),
      isBusy: () => this.batches.active,
      isNewestFirst: () => this.filter.isNewestFirst,
      onItem: (item, asked) => this.listed(item, asked),
      onNew: (items) => this.arrived(items),
      onMissing: (id) => this.refresh(id),
      onLink: (isUp) => this.link(isUp),
    });
    this.adding = new Adding(this.batches, {
      kb: () => (this.may.add ? this.kb : null),
      newRow: (name) => this.row(name),
      onAdd,
      onRows: () => this.count(),
      onDrop: (row) => this.drop(row),
      onAccepted: (job, answer) => this.accepted(job, answer),
    });
    $('docs-more').addEventListener('click', () => this.load());
    new IntersectionObserver(([entry]) => {
      if (entry.isIntersecting && this.cursor && !this.loading && this.rows.size < ROWS_BY_SCROLLING) this.load();
    }, { root: $('panel-documents'), rootMargin: '600px' }).observe($('docs-more'));
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.batches.pause();
      else {
        this.batches.resume();
        if (this.kb) this.list.wake();
      }
    });
  }

  /** Show the documents of a knowledge base to somebody with a role in it, filtered as the address says. */
  async open(kb, role) {
    this.close();
    this.kb = kb;
    this.may = MAY[role] || {};
    this.selection.allow(this.may);
    $('drop').hidden = !this.may.add;
    if (here().panel === 'documents') this.filter.read(here().query);
    this.onAddress(documentsAddress(kb, this.filter.address));
    this.adding.show();
    await Promise.all([this.batches.open(kb), this.bulk.open(kb), this.load()]);
  }

  /** Show none; uploads go on. */
  close() {
    this.batches.close();
    this.bulk.close();
    this.kb = null;
    this.filter.clear();
    this.empty();
    this.adding.showSending();
  }

  /** Close, and stop all uploads: the person has signed out. */
  stop() {
    this.close();
    this.adding.stop();
  }

  /** Show no documents. */
  empty() {
    this.opened += 1;
    clearTimeout(this.counting);
    this.list.stop();
    this.rows.clear();
    this.deleted.clear();
    this.cursor = null;
    this.loading = false;
    $('docs').replaceChildren();
    this.selection.clear();
    for (const id of ['docs-more', 'docs-empty', 'docs-none']) $(id).hidden = true;
  }

  /** The address has changed: filter as it says. */
  async place(query) {
    this.adding.showSending();
    const isOther = this.filter.read(query);
    this.onAddress(documentsAddress(this.kb, this.filter.address));
    if (isOther) await this.refilter();
  }

  /** The filter was changed: it becomes the address, and the list is loaded again. */
  async filtered(isTyped) {
    const address = documentsAddress(this.kb, this.filter.address);
    if (isTyped && here().query.get('search')) rename(address); // one step back for all letters
    else visitAddress(address);
    this.onAddress(address);
    await this.refilter();
  }

  /** Show the documents of a batch that are in one state. */
  only(batch) {
    this.filter.only(batch);
    $('docs-batch').scrollIntoView({ block: 'nearest' });
    $('docs-all').focus();
  }

  /** Load the list again, for another filter or order, or after a change of many; uploads stay. */
  async refilter() {
    if (!this.kb) return;
    const uploading = [...$('docs').children].filter((element) => !element.dataset.id);
    const { top } = $('docs-head').getBoundingClientRect();
    this.empty();
    $('docs').prepend(...uploading);
    if (top < $('panel-documents').getBoundingClientRect().top) $('filters').scrollIntoView({ block: 'start' });
    await this.load();
  }

  /** Load the next page of the list. */
  async load() {
    const visit = this.opened;
    this.loading = true;
    $('docs-more').disabled = true;
    $('docs').setAttribute('aria-busy', 'true');
    try {
      const page = await this.list.page(this.cursor, this.cursor ? NEXT_PAGE : PAGE);
      if (visit !== this.opened) return;
      this.cursor = page.next_cursor;
      if (page.counts) this.filter.count(page.counts);
      this.append(page.items);
      $('docs-more').hidden = !this.cursor;
      this.list.wake(500);
    } catch (problem) {
      if (visit !== this.opened || problem.status === 401) return;
      notify(problem);
    } finally {
      if (visit === this.opened) {
        this.loading = false;
        $('docs-more').disabled = false;
        $('docs').setAttribute('aria-busy', 'false');
        this.count();
      }
    }
  }

  /** Add rows for documents that have none yet. */
  append(items) {
    const fresh = items.filter((item) => !this.rows.has(item.id) && !this.deleted.has(item.id));
    $('docs').append(...fresh.map((item) => this.made(item).element));
    items.forEach((item) => this.filter.learn(item));
    this.selection.show();
  }

  made(item) {
    const row = this.row(item.name);
    this.show(row, item);
    return row;
  }

  /** The rows of documents, as they are shown. */
  listedRows() {
    const rows = [...$('docs').children].map((element) => this.rows.get(element.dataset.id));
    return rows.filter((row) => row && row.state !== 'deleting');
  }

  /** Reload the server's sentences in the current language. */
  async relanguage() {
    if (!this.kb) return;
    this.batches.look();
    this.bulk.look();
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

  /** Show in a row whether it still matches the filter: it does not jump away. */
  judge(row) {
    row.leave(this.filter.isOn && !this.filter.matches(row.item));
  }

  /** Documents have changed: their numbers have to be asked for, those of the filter too. */
  changed() {
    this.onChange();
    clearTimeout(this.counting);
    const visit = this.opened;
    if (!this.filter.isNarrow) return;
    this.counting = setTimeout(async () => {
      const counts = await this.list.counts().catch(() => null);
      if (counts && visit === this.opened) this.counted(counts);
    }, COUNT_MS);
  }

  /** Take the counts by state of the whole knowledge base, or of what the filter lets through. */
  counted(counts) {
    this.filter.count(counts);
    this.selection.show();
  }

  /** Take the counts of the whole knowledge base. */
  tally(counts) {
    if (!this.filter.isNarrow && this.kb) this.counted(counts);
  }

  /** Delete, retry, tag or untag what is selected. */
  async act(action) {
    const { isAll, size, ids } = this.selection;
    const named = [...ids];
    const target = isAll ? { filter: this.filter.selection } : { ids: named };
    const visit = this.opened;
    if (!(await this.bulk.start(action, size, target)) || visit !== this.opened) return;
    if (action === 'delete') {
      const going = isAll ? this.listedRows() : named.map((id) => this.rows.get(id)).filter(Boolean);
      for (const row of going) row.showDeleting();
    }
    this.selection.clear();
    this.list.wake(300);
  }

  /** A change of many documents has moved on; at its end the list shows what it came to. */
  async bulkMoved(info, before) {
    this.changed();
    const isMade = (each) => isOver(each.state) || each.stage === 'purge';
    if (!isMade(info) || isMade(before)) return;
    if (info.action === 'delete') await this.refilter();
    else await this.reload();
  }

  /** Load the rows that are shown again, where they are. */
  async reload() {
    const visit = this.opened;
    const ids = this.listedRows().map(({ id }) => id);
    for (let at = 0; at < ids.length && visit === this.opened; at += NEXT_PAGE) {
      await this.list.items(this.list.visit, { id: ids.slice(at, at + NEXT_PAGE) }, performance.now()).catch(() => null);
    }
    if (visit === this.opened) this.list.wake(300);
  }

  /** Handle the 202 of an upload: its row becomes the document's, or is replaced by an existing row or a batch. */
  accepted(job, { documents, batch_id: batch }) {
    for (const given of documents) {
      const known = this.rows.get(given.id);
      const row = known || job.row;
      if (known && known !== job.row) {
        job.row.element.replaceWith(known.element);
        known.item.reason = undefined;
      }
      row.note = given.unchanged ? ['documents.unchanged', { n: given.version }] : null;
      this.show(row, { ...given, bytes: given.bytes ?? job.file.size });
      if (given.unchanged) announce(t('documents.unchanged', { n: given.version }));
      if (isOver(given.state)) this.refresh(given.id);
      this.judge(row);
    }
    if (batch) this.batches.join(batch);
    if (!documents.length) this.drop(job.row);
    this.selection.show();
    this.changed();
  }

  /** Update a document from the list. */
  listed(item, asked) {
    const row = this.rows.get(item.id);
    const before = row.state;
    row.showListed(item, asked);
    this.filter.learn(item);
    this.judge(row);
    if (before !== row.state && isOver(row.state)) this.changed();
  }

  /** Add documents of other users or of a running batch upload, newest first. */
  arrived(items) {
    const wanted = items.filter((item) => !this.deleted.has(item.id));
    const rows = wanted.map((item) => this.made(item).element);
    const first = [...$('docs').children].find((element) => element.dataset.id);
    if (first) first.before(...rows);
    else $('docs').append(...rows);
    this.trim();
    if (rows.length) this.selection.show();
    this.count();
  }

  /** Remove the oldest rows, so that the page does not grow with every batch; not from under somebody who reads them. */
  trim() {
    const { scrollTop, clientHeight } = $('panel-documents');
    if (this.rows.size <= ROWS_AT_MOST || scrollTop > clientHeight || this.selection.size) return;
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
        this.judge(row);
      }
    } catch (problem) {
      if (visit === this.opened && problem.status === 404) this.drop(this.rows.get(id));
    }
    if (visit === this.opened) this.changed();
  }

  drop(row) {
    if (!row) return;
    if (row.id) {
      this.rows.delete(row.id);
      this.deleted.add(row.id); // a list requested earlier still contains it
      this.selection.forget(row.id);
    }
    const hadFocus = row.element.contains(document.activeElement) || document.activeElement === document.body;
    row.element.remove();
    if (hadFocus) $('pick').focus();
    this.count();
    this.changed();
  }

  count() {
    const isEmpty = $('docs').childElementCount === 0;
    $('docs-head').hidden = isEmpty;
    $('docs-empty').hidden = !isEmpty || this.filter.isOn;
    $('docs-none').hidden = !isEmpty || !this.filter.isOn;
  }
}
