// The sources of an answer: cited ones are visible, the rest are collapsed. Each opens its passage.

import { h } from '../shared/dom.js';
import { bind } from '../shared/i18n.js';

/** Page, section and version of a source. */
export function placeOf({ page, section, version }, withVersion = false) {
  const sections = [section].flat().filter(Boolean).join(' › ');
  return [
    page ? h('span', { text: ['answer.page', { n: page }] }) : null,
    withVersion && version ? h('span', { text: ['passage.version', { n: version }] }) : null,
    sections ? h('span', { class: 'section', title: sections }, sections) : null,
  ].filter(Boolean);
}

export class Sources {
  /** `onOpen(n)` is called when source n is clicked. */
  constructor(onOpen) {
    this.onOpen = onOpen;
    this.cards = new Map(); // n → {element, source, quotes}
    this.title = h('h3', { class: 'sources-title', text: 'answer.sources', hidden: true });
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
    const known = this.cards.get(n);
    if (known) return known;
    const name = source.document_name || '';
    const element = h('li', { class: 'source', data: { n } },
      h('button', { type: 'button', on: { click: () => this.onOpen(n) } },
        h('span', { class: 'source-n' }, String(n)),
        h('span', { class: 'source-name', title: name }, name),
        h('span', { class: 'source-place' }, ...placeOf(source))));
    const card = { element, source, quotes: [] };
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

  /** Show a citation with its quote; a source may have several. */
  quote(citation) {
    const card = this.card(citation);
    card.source = { ...card.source, ...citation };
    if (citation.quote && !card.quotes.includes(citation.quote)) card.quotes.push(citation.quote);
    this.cite(citation.n);
  }

  settle() {
    this.title.hidden = !this.cited.childElementCount;
    const rest = this.others.childElementCount;
    this.fold.hidden = rest === 0;
    if (rest) bind(this.summary, 'answer.more_sources', { n: rest });
  }

  /** The sources as text for the clipboard, one line each. */
  get lines() {
    return [...this.cited.children].map((element) => {
      const { source } = this.cards.get(Number(element.dataset.n));
      const place = placeOf(source).map((part) => part.textContent);
      return `[${source.n}] ${[source.document_name, ...place].join(', ')}`;
    });
  }
}
