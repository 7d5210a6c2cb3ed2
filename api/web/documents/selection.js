// The selected documents: some of the rows, or all that match the filter, also those that are not loaded.

import { $, announce } from '../shared/dom.js';
import { bind, bindAttr, t } from '../shared/i18n.js';

export class Selection {
  /**
   * `rows()`: the documents' rows as they are shown; `total()`: how many documents match, null while not known;
   * `onAct(action)`: a button of the selection. `may`: {control, tag, remove}, what the caller's role allows.
   */
  constructor({ rows, total, onAct }) {
    Object.assign(this, { rows, total, isAll: false, ids: new Set(), last: null, may: {} });
    $('docs-check-all').addEventListener('change', () => this.shown($('docs-check-all').checked));
    $('docs-select-all').addEventListener('click', () => this.all());
    $('docs-select-none').addEventListener('click', () => {
      this.clear();
      $('docs-search').focus();
    });
    for (const action of ['retry', 'tag', 'untag', 'delete']) {
      $(`docs-bulk-${action}`).addEventListener('click', () => onAct(action));
    }
  }

  get size() {
    return this.isAll ? this.total() ?? this.rows().length : this.ids.size;
  }

  /** What the caller may do with many documents; without anything, nothing can be selected. */
  allow(may) {
    this.may = may;
    const isAny = may.control || may.tag || may.remove;
    $('panel-documents').dataset.selects = String(Boolean(isAny));
    $('docs-bulk-retry').hidden = !may.control;
    $('docs-bulk-tag').hidden = $('docs-bulk-untag').hidden = !may.tag;
    $('docs-bulk-delete').hidden = !may.remove;
  }

  clear() {
    this.isAll = false;
    this.ids.clear();
    this.last = null;
    this.show();
  }

  /** Select all rows that are shown, or none. */
  shown(isOn) {
    this.isAll = false;
    this.ids = new Set(isOn ? this.rows().map((row) => row.id) : []);
    this.show();
  }

  all() {
    this.isAll = true;
    this.show();
    $('docs-select-none').focus();
  }

  /** A row was checked or unchecked; with Shift, all rows from the last one to it. */
  toggle(row, isRange) {
    const isOn = row.check.checked;
    const rows = this.rows();
    if (this.isAll) this.ids = new Set(rows.map(({ id }) => id)); // one less than all: only what is shown is known
    this.isAll = false;
    const [from, to] = [this.last, row].map((each) => rows.indexOf(each)).sort((one, other) => one - other);
    const changed = isRange && from >= 0 ? rows.slice(from, to + 1) : [row];
    for (const { id } of changed) {
      if (isOn) this.ids.add(id);
      else this.ids.delete(id);
    }
    this.last = row;
    this.show();
  }

  /** A row has gone. */
  forget(id) {
    if (this.ids.delete(id)) this.show();
  }

  /** Show which rows are selected, and what can be done with them. */
  show() {
    const rows = this.rows();
    for (const row of rows) row.select(this.isAll || this.ids.has(row.id));
    const n = this.size;
    const isEach = rows.length > 0 && (this.isAll || rows.every(({ id }) => this.ids.has(id)));
    $('docs-check-all').checked = isEach;
    $('docs-check-all').indeterminate = n > 0 && !isEach;
    $('docs-check-all').disabled = !rows.length;
    const total = this.total();
    const isMore = !this.isAll && isEach && total > rows.length;
    $('docs-select-all').hidden = !isMore;
    if (isMore) bind($('docs-select-all'), 'bulk.select_all', { n: total });
    if ($('docs-selected').hidden !== !n && n) announce(t('bulk.selected', { n }));
    $('docs-selected').hidden = !n;
    bind($('docs-selected-count'), this.isAll ? 'bulk.selected_all' : 'bulk.selected', { n });
    bindAttr($('docs-bulk-delete'), 'aria-label', 'bulk.delete_named', { n });
  }
}
