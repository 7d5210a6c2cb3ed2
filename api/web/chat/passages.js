// The panel with passages of a document: a cited one with its quotes marked and its neighbours, or all of them in
// order. Beside the answer on wide screens, over the page on narrow ones.

import { call } from '../shared/api.js';
import { $, announce, h, notify } from '../shared/dom.js';
import { bind, plain, t } from '../shared/i18n.js';
import { isShown, openOriginal } from '../documents/original.js';
import { holds, rangesOf } from './quotes.js';
import { placeOf } from './sources.js';

const MORE = 5;
const ALL = 20;
const ROOMY = matchMedia('(min-width: 1100px)');

const path = (id) => `/documents/${encodeURIComponent(id)}`;
const ordinalOf = (chunkId) => Number(chunkId.split(':').at(-1));

export class Passages {
  constructor() {
    this.panel = $('passages');
    this.visit = 0;
    $('passages-close').addEventListener('click', () => this.close());
    $('passages-before').addEventListener('click', () => this.more(true));
    $('passages-after').addEventListener('click', () => this.more(false));
    $('passages-open').addEventListener('click', () => this.openOriginal());
    this.panel.addEventListener('close', () => this.closed());
  }

  get isOpen() {
    return this.panel.open;
  }

  /** Show a source of an answer; `first` is the one of `quotes` to scroll to. */
  async cited({ source, quotes, first }) {
    const visit = this.open(source.document_name, placeOf(source, true), source.page);
    this.place = source; // its section is shown in the header
    this.quotes = quotes;
    const item = await this.document(source.document_id);
    if (visit !== this.visit) return;
    const stale = this.staleness(item, source);
    const at = ordinalOf(source.chunk_id);
    const around = stale ? null : await this.page(Math.max(0, at - 1), at ? 3 : 2);
    if (visit !== this.visit || (!stale && !around)) return;
    const isThere = around?.items.some(({ chunk_id: id }) => id === source.chunk_id);
    this.busy(false);
    if (isThere) this.show(around, source.chunk_id, first);
    else this.kept(stale || ['passage.replaced_soon']);
  }

  /** Show a document's passages from the beginning. */
  async whole(item) {
    const visit = this.open(item.name, [], null);
    Object.assign(this, { quotes: [], item, step: ALL, place: null });
    const page = await this.page(0, ALL);
    if (visit !== this.visit || !page) return;
    this.busy(false);
    this.originalButton();
    if (page.items.length) this.show(page);
    else this.say('passage.none');
  }

  /** Open an empty panel; returns the number of this visit, to detect outdated responses. */
  open(name, place, pdfPage) {
    if (!this.panel.open) this.opener = document.activeElement;
    this.visit += 1;
    Object.assign(this, { item: null, pdfPage, from: 0, to: 0, step: MORE });
    plain($('passages-name'), name);
    $('passages-name').title = name;
    $('passages-place').replaceChildren(...place);
    $('passages-list').replaceChildren();
    for (const id of ['passages-note', 'passages-before', 'passages-after', 'passages-open']) $(id).hidden = true;
    this.busy(true);
    if (!this.panel.open) {
      if (ROOMY.matches) this.panel.show();
      else this.panel.showModal();
    }
    $('passages-name').focus();
    return this.visit;
  }

  /** The current document; null if it was deleted. */
  async document(id) {
    try {
      this.item = await call('GET', path(id));
      this.originalButton();
    } catch (problem) {
      if (problem.status !== 404) notify(problem);
    }
    return this.item;
  }

  /** Why the answer's source differs from the current document: [key, params], or null. */
  staleness(item, { version }) {
    if (!item) return ['passage.deleted'];
    const { live_version: live } = item;
    if (live === version) return null;
    return live ? ['passage.stale', { cited: version, live }] : ['passage.withdrawn', { cited: version }];
  }

  originalButton() {
    const { media_type: kind } = this.item;
    const atPage = this.pdfPage && kind === 'application/pdf';
    const key = atPage ? 'passage.open_page' : isShown(kind) ? 'passage.open' : 'passage.download';
    bind($('passages-open'), key, { n: this.pdfPage });
    $('passages-open').hidden = false;
  }

  page(cursor, limit) {
    return call('GET', `${path(this.item.id)}/chunks`, { query: { cursor: String(cursor), limit: String(limit) } })
      .catch((problem) => {
        this.busy(false);
        notify(problem);
        return null;
      });
  }

  /** Load the first passages of the panel. */
  show({ items, next_cursor: next }, cited, first) {
    const cards = items.map((item, at) => this.card(item, item.chunk_id === cited, at ? items[at - 1] : this.place));
    $('passages-list').replaceChildren(...cards);
    this.from = items[0].ordinal;
    this.to = items.at(-1).ordinal + 1;
    $('passages-before').hidden = this.from === 0;
    $('passages-after').hidden = !next;
    if (!cited) return;
    const card = cards.find((each) => each.dataset.cited);
    const marks = [...card.querySelectorAll('mark')];
    const mark = (first && marks.find((each) => holds(each.textContent, first))) || marks[0];
    (mark || card).scrollIntoView({ block: 'center' });
    announce(`${t('passage.cited')}: ${(mark || card).textContent}`);
  }

  /** Load more distant neighbours. */
  async more(before) {
    const { visit } = this;
    const from = before ? Math.max(0, this.from - this.step) : this.to;
    const page = await this.page(from, before ? this.from - from : this.step);
    if (!page || visit !== this.visit) return;
    const cards = page.items.map((item, at) => this.card(item, false, at ? page.items[at - 1] : this.place));
    if (before) {
      const height = $('passages-body').scrollHeight;
      $('passages-list').prepend(...cards);
      $('passages-body').scrollTop += $('passages-body').scrollHeight - height;
      this.from = from;
      $('passages-before').hidden = from === 0;
    } else {
      $('passages-list').append(...cards);
      this.to += page.items.length;
      $('passages-after').hidden = !page.next_cursor;
    }
    cards[0]?.focus({ preventScroll: true });
  }

  /** A passage; its section is shown if it differs from that of the previous passage. */
  card({ ordinal, text, page, section }, isCited, before) {
    const place = placeOf({ page, section: before?.section === section ? '' : section });
    const words = h('p', { class: 'passage-text' });
    let at = 0;
    for (const [from, to] of isCited ? rangesOf(text, this.quotes) : []) {
      words.append(text.slice(at, from), h('mark', {}, text.slice(from, to)));
      at = to;
    }
    words.append(text.slice(at));
    return h('li', { class: 'passage', tabindex: '-1', data: isCited ? { cited: 'true' } : {} },
      h('p', { class: 'passage-place' }, h('span', {}, `#${ordinal + 1}`), ...place), words);
  }

  /** Show the passage that is stored with the answer, if the document has changed since. */
  kept(note) {
    this.say(...note);
    $('passages-list').replaceChildren(...this.quotes.map((quote) =>
      h('li', { class: 'passage', data: { cited: 'true' } }, h('p', { class: 'passage-text' }, h('mark', {}, quote)))));
    announce($('passages-note').textContent);
  }

  say(key, params) {
    this.busy(false);
    bind($('passages-note'), key, params);
    $('passages-note').hidden = false;
  }

  busy(isBusy) {
    $('passages-busy').hidden = !isBusy;
    $('passages-body').setAttribute('aria-busy', String(isBusy));
  }

  async openOriginal() {
    const button = $('passages-open');
    button.disabled = true;
    try {
      await openOriginal(this.item, this.pdfPage);
    } catch (problem) {
      notify(problem);
    } finally {
      button.disabled = false;
    }
  }

  close() {
    if (this.panel.open) this.panel.close();
  }

  closed() {
    this.visit += 1;
    if (this.opener?.isConnected) this.opener.focus();
    this.opener = null;
  }
}
