// The filter and the order of the document list, which the server applies: the fields, and their place in the address.

import { call } from '../shared/api.js';
import { $, h } from '../shared/dom.js';
import { bind, bindAttr, plain, t } from '../shared/i18n.js';
import { STATES } from './job.js';

const TYPING_MS = 250;
const CHIPS = ['failed', 'waiting', 'paused', 'running', 'queued', 'ready', 'canceled'];
const FIELDS = ['state', 'search', 'tag', 'batch', 'sort', 'order'];
const EMPTY = { state: '', search: '', tag: '', batch: '', sort: '', order: '' };

/** The orders, each with its first direction; '' is that of the uploads, newest first. */
const SORTS = { name: 'asc', state: 'asc', bytes: 'desc', updated_at: 'desc' };

const folded = (text) => text.normalize('NFKC').toLowerCase();

export class DocumentFilter {
  /** `onChange(isTyped)` when the filter or the order changes; `isTyped`: with more letters to come. */
  constructor(onChange) {
    Object.assign(this, { onChange, value: { ...EMPTY }, counts: null });
    this.tags = new Set();
    let typing = 0;
    $('docs-search').addEventListener('input', () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.set({ search: $('docs-search').value.trim() }, true), TYPING_MS);
    });
    $('docs-tag').addEventListener('change', () => this.set({ tag: $('docs-tag').value }));
    $('docs-sort').addEventListener('change', () => {
      const [sort, order] = $('docs-sort').value.split(' ');
      this.set({ sort, order: order || '' });
    });
    for (const button of $('docs-head').querySelectorAll('[data-sort]')) {
      button.addEventListener('click', () => this.sortBy(button.dataset.sort));
    }
    $('docs-all').addEventListener('click', () => {
      this.set({ ...EMPTY, sort: this.value.sort, order: this.value.order });
      $('docs-search').focus();
    });
  }

  set(changes, isTyped = false) {
    const value = { ...this.value, ...changes };
    if (FIELDS.every((field) => value[field] === this.value[field])) return;
    this.value = value;
    this.show();
    this.onChange(isTyped);
  }

  /** By a column: in its first direction, then in the other one, then newest first again. */
  sortBy(sort) {
    const first = SORTS[sort];
    if (this.value.sort !== sort) this.set({ sort, order: first });
    else if (this.value.order === first) this.set({ order: first === 'asc' ? 'desc' : 'asc' });
    else this.set({ sort: '', order: '' });
  }

  /** Take the values from an address; returns whether they are others than before. */
  read(query) {
    const given = Object.fromEntries(FIELDS.map((field) => [field, query.get(field) || '']));
    if (given.state && !CHIPS.includes(given.state)) given.state = '';
    if (!SORTS[given.sort]) given.sort = given.order = '';
    else if (!['asc', 'desc'].includes(given.order)) given.order = SORTS[given.sort];
    const isOther = FIELDS.some((field) => given[field] !== this.value[field]);
    this.value = given;
    this.show();
    return isOther;
  }

  /** The values for an address. */
  get address() {
    return new URLSearchParams(Object.entries(this.value).filter(([, value]) => value));
  }

  /** Reset for another knowledge base, whose tags are not known yet. */
  clear() {
    this.value = { ...EMPTY };
    this.counts = null;
    this.tags.clear();
    $('docs-tag').replaceChildren($('docs-tag').firstElementChild);
    $('docs-tag-field').hidden = true;
    this.show();
  }

  /** Show the documents of a batch that are in one state. */
  only({ id, state = '' }) {
    this.set({ ...EMPTY, batch: id, state });
  }

  /** The query parameters for the server. */
  get query() {
    return { ...this.value };
  }

  /** The same as a selection, without the order. */
  get selection() {
    const { sort, order, ...rest } = this.value;
    return Object.fromEntries(Object.entries(rest).filter(([, value]) => value));
  }

  get isNarrow() {
    return Boolean(this.value.search || this.value.tag || this.value.batch);
  }

  get isOn() {
    return this.isNarrow || Boolean(this.value.state);
  }

  get isNewestFirst() {
    return !this.value.sort;
  }

  /** How many documents match; null while that is not known. */
  get total() {
    if (!this.counts) return null;
    return this.value.state ? this.counts[this.value.state] || 0 : this.counts.total;
  }

  matches({ name, state, tags = [] }) {
    const { tag, search, state: wanted } = this.value;
    const words = folded(search).split(/\s+/).filter(Boolean);
    return (!wanted || wanted === state) && (!tag || tags.includes(tag)) && words.every((word) => folded(name).includes(word));
  }

  /** Show the number of documents of each state. */
  count(counts) {
    this.counts = counts;
    this.chips();
  }

  show() {
    const { search, tag, batch, sort, order } = this.value;
    if ($('docs-search').value.trim() !== search) $('docs-search').value = search;
    if (tag) this.learn({ tags: [tag] });
    $('docs-tag').value = tag;
    $('docs-sort').value = sort ? `${sort} ${order}` : '';
    for (const button of $('docs-head').querySelectorAll('[data-sort]')) {
      const isBy = button.dataset.sort === sort;
      button.dataset.order = isBy ? order : '';
      button.setAttribute('aria-pressed', String(isBy));
      const label = button.querySelector('[data-i18n]').dataset.i18n;
      bindAttr(button, 'aria-label', !isBy ? 'documents.sort_by' : order === 'asc' ? 'documents.sorted_up' : 'documents.sorted_down',
        { what: () => t(label) });
    }
    $('docs-batch').hidden = !batch;
    if (batch && batch !== this.named) this.nameBatch(batch);
    this.chips();
  }

  async nameBatch(batch) {
    this.named = batch;
    plain($('docs-batch-name'), '');
    const info = await call('GET', `/batches/${encodeURIComponent(batch)}`).catch(() => null);
    if (this.named === batch) bind($('docs-batch-name'), 'documents.only', { name: info?.name || batch });
  }

  /** The states as buttons with their counts: those that there are, and the chosen one. Buttons keep the focus. */
  chips() {
    const counts = this.counts || {};
    const wanted = ['', ...CHIPS.filter((state) => counts[state] || state === this.value.state)];
    const chips = wanted.map((state) => {
      const known = $('docs-states').querySelector(`[data-state="${state}"]`);
      const chip = known || h('button', {
        type: 'button', class: 'count', data: { state }, on: { click: () => this.set({ state }) },
      }, h('span', { text: state ? STATES[state] : 'documents.any_state' }), ' ', h('b'));
      const n = state ? counts[state] || 0 : counts.total;
      chip.setAttribute('aria-pressed', String(state === this.value.state));
      if (this.counts) bind(chip.lastElementChild, 'app.value', { value: n || 0 });
      else plain(chip.lastElementChild, '');
      return chip;
    });
    const same = chips.length === $('docs-states').children.length && chips.every((chip, at) => chip === $('docs-states').children[at]);
    if (!same) $('docs-states').replaceChildren(...chips);
  }

  /** Offer the tags of a document in the filter. */
  learn({ tags = [] }) {
    for (const tag of tags) {
      if (this.tags.has(tag)) continue;
      this.tags.add(tag);
      const after = [...$('docs-tag').options].slice(1).find(({ value }) => value > tag);
      $('docs-tag').add(h('option', { value: tag }, tag), after || null);
      $('docs-tag-field').hidden = false;
    }
  }
}
