// Updates the rows of documents in flight by polling the list: a few requests for all of them, and none while no row
// is in flight or the page is hidden.

import { call } from '../shared/api.js';
import { isOver } from './job.js';

const POLL_MS = 1000;
const TROUBLE_MS = 5000;
const PAGE = 100;
const PAGES_AT_MOST = 3; // per poll
const REFRESHED_AT_MOST = 5; // rows per poll that are missing from the list

export class DocumentList {
  /**
   * `rows`: Map of id → row. `query()`: which list. `isBusy()`: whether to poll although no row is in flight.
   * `onItem(item, asked)`: the current document, requested at `asked` (performance.now()); `onNew(items)`: documents
   * that are newer than all rows; `onMissing(id)`: no longer in the list; `onLink(isUp)`.
   */
  constructor(callbacks) {
    Object.assign(this, callbacks);
    this.timer = 0;
    this.visit = 0;
  }

  /** Poll soon, and continue while a row is in flight. */
  wake(soon = 0) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), soon);
  }

  stop() {
    this.visit += 1;
    clearTimeout(this.timer);
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
    let missing = REFRESHED_AT_MOST;
    for (let n = 0; n < PAGES_AT_MOST && (n === 0 || left.size); n += 1) {
      const ids = [...this.rows.keys()].sort().reverse(); // in the order of the list: newest first
      const cursor = n === 0 ? null : ids[ids.findIndex((id) => left.has(id)) - 1];
      const asked = performance.now();
      const page = await this.page(cursor, PAGE);
      if (visit !== this.visit) return;
      for (const item of page.items) {
        if (this.rows.has(item.id)) this.onItem(item, asked);
        left.delete(item.id);
      }
      const isNew = ({ id }) => !this.rows.has(id) && (!ids.length || id > ids[0]); // rows may have been added meanwhile
      if (n === 0) this.onNew(page.items.filter(isNew));
      const end = page.next_cursor ?? '';
      for (const id of [...left].filter((each) => each > end && (!cursor || each < cursor))) {
        left.delete(id);
        if ((missing -= 1) >= 0) this.onMissing(id);
      }
    }
  }

  /** Load one page of the list after `cursor`. */
  page(cursor, limit) {
    const { kb, ...query } = this.query();
    return call('GET', `/knowledge-bases/${encodeURIComponent(kb)}/documents`, {
      query: { ...query, cursor, limit: String(limit) },
    });
  }
}
