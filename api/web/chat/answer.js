// A question and its answer on the page: streamed text with [n] as chips, sources, notes (fallback, index state), and
// actions.

import { announce, h } from '../shared/dom.js';
import { bind, bindAttr, t } from '../shared/i18n.js';
import { Feedback } from './feedback.js';
import { runLink, showRun } from '../shared/runs.js';
import { holds } from './quotes.js';
import { icon } from '../shared/icons.js';
import { Markdown } from './markdown.js';
import { Sources } from './sources.js';

const COPIED_MS = 2000;

export class AnswerView {
  /**
   * `actions`: {again(wait), passage({source, quotes, first}, opener)}; `again` repeats the question, `passage`
   * opens a source.
   */
  constructor(question, actions) {
    this.actions = actions;
    this.given = []; // the sources as received, for a retry that starts over
    this.cited = null; // numbers of the sources that are cited, once known
    this.sources = new Sources((n) => this.open(n));
    this.text = new Markdown((n, block) => this.chip(n, block));
    this.feedback = new Feedback();
    this.run = runLink();
    this.status = h('p', { class: 'answer-status' });
    this.notice = h('div', { class: 'answer-notice', hidden: true });
    this.notes = h('ul', { class: 'answer-notes', hidden: true });
    this.copied = h('button', {
      type: 'button', class: 'icon', labels: { 'aria-label': 'answer.copy', title: 'answer.copy' }, on: { click: () => this.copy() },
    }, icon('copy'));
    this.tools = h('div', { class: 'answer-tools', hidden: true }, this.copied,
      h('button', {
        type: 'button', class: 'icon', labels: { 'aria-label': 'answer.again', title: 'answer.again' },
        on: { click: () => actions.again(false) },
      }, icon('again')),
      this.feedback.element, this.run);
    this.answer = h('div', { class: 'answer', role: 'group', 'aria-busy': 'true', labels: { 'aria-label': 'answer.label' } },
      this.status, this.text.element, this.notice, this.notes, this.sources.element, this.tools, this.feedback.form);
    this.element = h('li', { class: 'turn' },
      h('h2', { class: 'asked' }, h('span', { class: 'hidden-text', text: 'answer.you' }), ' ', h('span', {}, question)),
      this.answer);
  }

  say(key, params) {
    this.status.hidden = false;
    bind(this.status, key, params);
  }

  /** Set the id that the server gave the question. */
  known(id) {
    this.feedback.id = id;
    showRun(this.run, id && `question/${id}`);
    this.element.dataset.id = id;
  }

  showSources(sources) {
    this.given = sources;
    this.sources.show(sources);
  }

  delta(text) {
    this.text.add(text);
  }

  reset() {
    this.text.clear();
    this.sources.show(this.given);
  }

  get chips() {
    return [...this.text.element.querySelectorAll('.chip')].map((chip) => Number(chip.textContent));
  }

  chip(n, block) {
    const source = this.sources.cards.get(n)?.source;
    if (!source || (this.cited && !this.cited.has(n))) return null;
    const button = h('button', { type: 'button', class: 'chip', on: { click: () => this.open(n, block?.textContent) } }, String(n));
    bindAttr(button, 'aria-label', 'answer.source', { n, name: source.document_name });
    button.title = source.document_name;
    this.sources.cite(n);
    return button;
  }

  /** Open a source, scrolled to the quote that is in this text. */
  open(n, text = '') {
    const { source, quotes } = this.sources.cards.get(n);
    this.actions.passage({ source, quotes, first: quotes.find((quote) => holds(text, quote)) });
  }

  /** Show the result, whose text replaces the streamed one. `index`: the state of the index when it was asked. */
  done({ answer, citations = [], mode, found, fallback, withheld }, index) {
    this.cited = new Set(citations.map(({ n }) => n));
    this.sources.show(this.given); // a streamed [n] may not be a citation in the result
    for (const citation of citations) this.sources.card(citation);
    if (found === false) {
      this.text.clear();
      this.notFound(answer);
    } else this.text.end(answer, this.chips.some((n) => !this.cited.has(n)));
    for (const citation of citations) this.sources.quote(citation);
    if (found === false && citations.length) bind(this.sources.title, 'answer.nearest');
    if (found !== false && mode) this.note(mode === 'generative' ? 'answer.mode_generative' : 'answer.mode_extractive');
    if (fallback) this.note(fallback === 'language' ? 'answer.fallback_language' : 'answer.fallback_unsupported', {}, 'wait');
    if (withheld > 0) this.note('answer.withheld', { n: withheld }, 'wait');
    if (index?.state === 'building') {
      this.note('answer.building', { n: index.pending }, '', h('button', {
        type: 'button', class: 'link', text: 'answer.wait_again', on: { click: () => this.actions.again(true) },
      }));
    }
    this.over('done');
  }

  note(key, params, kind = '', button = null) {
    this.notes.append(h('li', { class: kind }, h('span', { text: [key, params] }), button && ' ', button));
    this.notes.hidden = false;
  }

  notFound(answer) {
    this.notice.replaceChildren(h('strong', { text: 'answer.not_found' }),
      answer ? h('p', {}, answer) : h('p', { text: 'answer.not_found_help' }));
    this.notice.hidden = false;
    if (!this.text.silent) announce(this.notice.textContent);
  }

  /** Show an error; `words` is the element with its text. */
  failed(words) {
    this.text.end();
    this.notice.replaceChildren(h('strong', { text: 'answer.failed' }), h('p', {}, words),
      h('button', { type: 'button', class: 'secondary', text: 'answer.again', on: { click: () => this.actions.again(false) } }));
    this.notice.hidden = false;
    this.notice.setAttribute('role', 'alert');
    this.over('failed');
  }

  canceled() {
    this.text.end();
    this.note('answer.canceled');
    this.over('canceled');
  }

  over(how) {
    this.status.hidden = true;
    this.answer.dataset.how = how;
    this.answer.setAttribute('aria-busy', 'false');
    this.tools.hidden = how === 'failed';
    this.copied.hidden = !this.text.text;
    this.feedback.element.hidden = how !== 'done' || !this.feedback.id;
  }

  /** The answer with its sources as text. */
  async copy() {
    const { lines } = this.sources;
    const text = [this.text.text, lines.length && `${t('answer.sources')}\n${lines.join('\n')}`].filter(Boolean).join('\n\n');
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else copyWithoutTls(text, this.copied);
    bindAttr(this.copied, 'title', 'answer.copied');
    this.copied.classList.add('done');
    announce(t('answer.copied'));
    setTimeout(() => {
      bindAttr(this.copied, 'title', 'answer.copy');
      this.copied.classList.remove('done');
    }, COPIED_MS);
  }
}

/** Copy by selection: browsers offer no clipboard API to pages without TLS. */
function copyWithoutTls(text, button) {
  const area = h('textarea', { class: 'hidden-text' });
  area.value = text;
  button.after(area);
  area.select();
  document.execCommand('copy');
  area.remove();
  button.focus();
}
