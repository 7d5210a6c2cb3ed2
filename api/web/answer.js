// An answer on the page: text as it streams, its [n] markers as buttons, its sources as cards.

import { announce, h } from './dom.js';
import { bind, bindAttr } from './i18n.js';

/** Text that only ever grows; a marker of a known source becomes a button. */
class StreamedText {
  constructor(onMarker) {
    this.element = h('p', { class: 'answer-text' });
    this.onMarker = onMarker;
    this.known = new Set();
    this.clear();
  }

  clear() {
    this.element.replaceChildren();
    this.text = '';
    this.shown = 0;
    this.told = 0;
  }

  /** `whole`: no more text follows, so nothing is held back. */
  add(more, whole = false) {
    this.text += more;
    const rest = this.text.slice(this.shown);
    const open = whole ? -1 : rest.search(/\[\d{0,3}$/); // perhaps a marker cut in two
    const ready = open < 0 ? rest : rest.slice(0, open);
    this.shown += ready.length;
    for (const part of ready.split(/(\[\d{1,3}\])/)) {
      const n = /^\[\d/.test(part) ? Number(part.slice(1, -1)) : null;
      if (n !== null && this.known.has(n)) this.element.append(this.marker(n));
      else if (part) this.element.append(part);
    }
    this.tell(whole);
  }

  marker(n) {
    const button = h('button', { type: 'button', class: 'marker', on: { click: () => this.onMarker(n, 'go') } }, String(n));
    bindAttr(button, 'aria-label', 'answer.source', { n, name: () => this.onMarker(n, 'name') });
    this.onMarker(n, 'cited');
    return button;
  }

  /** Whole sentences go to people who listen. */
  tell(whole) {
    const rest = this.text.slice(this.told);
    const end = whole ? rest.length : rest.search(/[.!?。！？\n](?=[^.!?。！？]*$)/) + 1;
    if (end <= 0) return;
    const sentence = rest.slice(0, end).replace(/\[\d{1,3}\]/g, '').trim();
    this.told += end;
    if (sentence) announce(sentence);
  }
}

/** The cards. Cited ones stand in the open, the rest are folded away. */
class Sources {
  constructor() {
    this.cards = new Map(); // n → {element, quotes, name}
    this.title = h('h4', { class: 'sources-title', text: 'answer.sources', hidden: true });
    this.cited = h('ol', { class: 'sources' });
    this.summary = h('summary');
    this.others = h('ol', { class: 'sources' });
    this.fold = h('details', { class: 'other-sources', hidden: true }, this.summary, this.others);
    this.element = h('div', { class: 'answer-sources' }, this.title, this.cited, this.fold);
  }

  show(sources) {
    this.cards.clear();
    this.cited.replaceChildren();
    this.others.replaceChildren();
    for (const source of sources) this.others.append(this.card(source).element);
    this.settle();
  }

  card(source) {
    const { n } = source;
    if (this.cards.has(n)) return this.cards.get(n);
    const section = [source.section].flat().filter(Boolean).join(' › ');
    const quotes = h('div', { class: 'quotes' });
    const element = h('li', { class: 'source', tabindex: '-1', data: { n } },
      h('span', { class: 'source-n', 'aria-hidden': 'true' }, String(n)),
      h('div', { class: 'source-body' },
        h('p', { class: 'source-name' }, source.document_name || ''),
        h('p', { class: 'source-place' },
          source.page ? h('span', { text: ['answer.page', { n: source.page }] }) : null,
          section ? h('span', {}, section) : null),
        quotes));
    const card = { element, quotes, name: source.document_name || '', seen: new Set() };
    this.cards.set(n, card);
    return card;
  }

  cite(n) {
    const card = this.cards.get(n);
    if (!card || card.element.parentElement === this.cited) return;
    const after = [...this.cited.children].find((other) => Number(other.dataset.n) > n);
    this.cited.insertBefore(card.element, after || null);
    this.settle();
  }

  /** A citation with its words; a source may be quoted more than once. */
  quote(citation) {
    const card = this.card(citation);
    if (citation.quote && !card.seen.has(citation.quote)) {
      card.seen.add(citation.quote);
      card.quotes.append(h('blockquote', {}, citation.quote));
    }
    this.cite(citation.n);
  }

  settle(openOthers = false) {
    this.title.hidden = !this.cited.childElementCount;
    const rest = this.others.childElementCount;
    this.fold.hidden = rest === 0;
    if (rest) bind(this.summary, 'answer.more_sources', { n: rest });
    if (openOthers) this.fold.open = true;
  }

  go(n) {
    const card = this.cards.get(n);
    if (!card) return;
    if (this.others.contains(card.element)) this.fold.open = true;
    this.element.querySelector('.source.lit')?.classList.remove('lit');
    card.element.classList.add('lit');
    card.element.focus({ preventScroll: true });
    card.element.scrollIntoView({ block: 'nearest' });
  }
}

export class AnswerView {
  /** `onAgain()` is called by the button of an answer that failed. */
  constructor(question, onAgain) {
    this.onAgain = onAgain;
    this.given = []; // the sources as they came, for a retry that starts over
    this.sources = new Sources();
    this.text = new StreamedText((n, what) => {
      if (what === 'name') return this.sources.cards.get(n)?.name || '';
      return what === 'cited' ? this.sources.cite(n) : this.sources.go(n);
    });
    this.status = h('p', { class: 'answer-status' });
    this.notice = h('div', { class: 'answer-notice', hidden: true });
    this.foot = h('p', { class: 'answer-foot', hidden: true });
    this.answer = h('div', { class: 'answer', role: 'group', 'aria-busy': 'true', labels: { 'aria-label': 'answer.label' } },
      this.status, this.notice, this.text.element, this.sources.element, this.foot);
    this.element = h('li', { class: 'turn' },
      h('h3', { class: 'asked' }, h('span', { class: 'hidden-text', text: 'answer.you' }), ' ', h('span', {}, question)),
      this.answer);
  }

  say(key, params) {
    this.status.hidden = false;
    bind(this.status, key, params);
  }

  showSources(sources) {
    this.given = sources;
    for (const { n } of sources) this.text.known.add(n);
    this.sources.show(sources);
  }

  delta(text) {
    this.text.add(text);
  }

  reset() {
    this.text.clear();
    this.sources.show(this.given);
  }

  /** The result: its text is the one that counts, whatever was streamed. */
  done({ answer, citations = [], mode, found }) {
    for (const citation of citations) this.sources.card(citation);
    for (const { n } of citations) this.text.known.add(n);
    if (found === false) {
      this.text.clear();
      this.notFound(answer);
    } else if (answer && answer !== this.text.text) {
      this.text.clear();
      this.text.add(answer, true);
    } else this.text.add('', true);
    for (const citation of citations) this.sources.quote(citation);
    if (found === false && citations.length) bind(this.sources.title, 'answer.nearest');
    this.sources.settle(!citations.length);
    if (found !== false && mode) {
      bind(this.foot, mode === 'generative' ? 'answer.mode_generative' : 'answer.mode_extractive');
      this.foot.hidden = false;
    }
    this.over('done');
  }

  notFound(answer) {
    this.notice.replaceChildren(h('strong', { text: 'answer.not_found' }),
      answer ? h('p', {}, answer) : h('p', { text: 'answer.not_found_help' }));
    this.notice.hidden = false;
    announce(this.notice.textContent);
  }

  /** `words` is an element that says what went wrong. */
  failed(words) {
    this.text.add('', true);
    this.notice.replaceChildren(h('strong', { text: 'answer.failed' }), h('p', {}, words),
      h('button', { type: 'button', class: 'secondary', text: 'answer.again', on: { click: this.onAgain } }));
    this.notice.hidden = false;
    this.notice.setAttribute('role', 'alert');
    this.over('failed');
  }

  canceled() {
    this.text.add('', true);
    bind(this.foot, 'answer.canceled');
    this.foot.hidden = false;
    this.over('canceled');
  }

  over(how) {
    this.status.hidden = true;
    this.answer.dataset.how = how;
    this.answer.setAttribute('aria-busy', 'false');
  }
}
