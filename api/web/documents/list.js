// Updates the rows of documents in flight by polling: a few requests for all of them, and none while no row is in
// flight or the page is hidden. New documents are looked for at the head of the list.

import { call } from '../shared/api.js';
import { isOver } from './job.js';

const POLL_MS = 1000;
const TROUBLE_MS = 5000;
const PAGE = 100;
const PAGES_AT_MOST = 3; // per poll
const REFRESHED_AT_MOST = 5; // rows per poll that are missing

export class DocumentList {
  /**
   * `rows`: Map of id → row. `query()`: which list, with its `kb`. `isBusy()`: whether to poll although no row is in
   * flight. `isNewestFirst()`: whether new documents are looked for. `onItem(item, asked)`: the current document, requested at
   * `asked` (performance.now()); `onNew(items)`: documents that are newer than all rows; `onMissing(id)`; `onLink(isUp)`.
   */
  constructor(callbacks) {
    Object.assign(this, callbacks);
    this.timer = 0;
    this.visit = 0;
    this.asked = 0; // ids that were asked for last, so that all have their turn
  }

  /** Poll soon, and continue while a row is in flight. */
  wake(soon = 0) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), soon);
  }

  stop() {
    this.visit += 1;
    clearTimeout(this.timer);
    this.control?.abort();
  }

  get pending() {
    return [...this.rows].filter(([, row]) => row.state !== 'deleting' && !isOver(row.state)).map(([id]) => id);
  }

  async look() {
    const visit = this.visit;
    if (document.hidden || this.looking === visit) return;
    this.looking = visit;
    let pause = POLL_MS;
    try {
      await this.once(visit);
      if (visit === this.visit) this.onLink(true);
    } catch (problem) {
      pause = TROUBLE_MS;
      if (visit === this.visit && problem.passing) this.onLink(false);
    }
    this.looking = null;
    if (visit === this.visit && (this.pending.length || this.isBusy())) this.wake(pause);
  }

  async once(visit) {
    const left = new Set(this.pending);
    if (this.isNewestFirst()) {
      const newest = [...this.rows.keys()].sort().at(-1) || '';
      const page = await this.head(visit);
      if (!page) return;
      for (const item of page) left.delete(item.id);
      this.onNew(page.filter(({ id }) => !this.rows.has(id) && id > newest));
    }
    const ids = [...left];
    if (this.asked >= ids.length) this.asked = 0;
    let missing = REFRESHED_AT_MOST;
    for (let n = 0; n < PAGES_AT_MOST && this.asked < ids.length; n += 1) {
      const some = ids.slice(this.asked, this.asked + PAGE);
      const asked = performance.now();
      const found = new Set((await this.items(visit, { id: some }, asked))?.map(({ id }) => id));
      if (visit !== this.visit) return;
      for (const id of some) if (!found.has(id) && (missing -= 1) >= 0) this.onMissing(id);
      this.asked += some.length;
    }
  }

  head(visit) {
    const { kb, ...query } = this.query();
    return this.items(visit, query, performance.now());
  }

  /** Request documents and show those that have rows; null when the list is another one by now. */
  async items(visit, query, asked) {
    const { items } = await this.request({ ...query, limit: String(PAGE) });
    if (visit !== this.visit) return null;
    for (const item of items) if (this.rows.has(item.id)) this.onItem(item, asked);
    return items;
  }

  /** Load one page of the list after `cursor`, with the counts by state if there is none. A later list cancels it. */
  page(cursor, limit) {
    const { kb, ...query } = this.query();
    this.control = new AbortController();
    return this.request({ ...query, cursor, limit: String(limit), counts: cursor ? '' : 'true' }, this.control.signal);
  }

  /** The counts by state of the documents that match. */
  async counts() {
    const { kb, ...query } = this.query();
    return (await this.request({ ...query, limit: '1', counts: 'true' })).counts;
  }

  request(query, signal) {
    return call('GET', `/knowledge-bases/${encodeURIComponent(this.query().kb)}/documents`, { query, signal });
  }
}
