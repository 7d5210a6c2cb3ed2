// Keeps the rows of documents that are under way up to date by asking for the list: a few requests for all of
// them together, however many there are, and none when nothing moves or the page is not looked at.

import { call } from '../shared/api.js';
import { isOver } from './job.js';

const POLL_MS = 1000;
const TROUBLE_MS = 5000;
const PAGE = 100;
const PAGES_AT_MOST = 3; // of one look
const REFRESHED_AT_MOST = 5; // rows of one look that the list has no more

export class DocumentList {
  /**
   * `rows`: Map of id → row. `query()`: which list. `isBusy()`: whether to look although no row is under way.
   * `onItem(item, asked)`: a document as it is, asked for at `asked` (performance.now()); `onNew(items)`: documents
   * that are newer than all rows; `onMissing(id)`: not in the list any more; `onLink(isUp)`.
   */
  constructor(callbacks) {
    Object.assign(this, callbacks);
    this.timer = 0;
    this.visit = 0;
  }

  /** Look soon, and go on for as long as something moves. */
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
      const ids = [...this.rows.keys()].sort().reverse(); // as the list has them: newest first
      const cursor = n === 0 ? null : ids[ids.findIndex((id) => left.has(id)) - 1];
      const asked = performance.now();
      const page = await this.page(cursor, PAGE);
      if (visit !== this.visit) return;
      for (const item of page.items) {
        if (this.rows.has(item.id)) this.onItem(item, asked);
        left.delete(item.id);
      }
      const isNew = ({ id }) => !this.rows.has(id) && (!ids.length || id > ids[0]); // rows may have come meanwhile
      if (n === 0) this.onNew(page.items.filter(isNew));
      const end = page.next_cursor ?? '';
      for (const id of [...left].filter((each) => each > end && (!cursor || each < cursor))) {
        left.delete(id);
        if ((missing -= 1) >= 0) this.onMissing(id);
      }
    }
  }

  /** One page of the list, after `cursor`. */
  page(cursor, limit) {
    const { kb, ...query } = this.query();
    return call('GET', `/knowledge-bases/${encodeURIComponent(kb)}/documents`, {
      query: { ...query, cursor, limit: String(limit) },
    });
  }
}
