// Streamed Markdown: parsed by marked and sanitised by DOMPurify block by block, so that finished blocks are stable.

import DOMPurify from '../vendor/purify.es.mjs';
import { Marked } from '../vendor/marked.esm.js';
import { announce, h } from '../shared/dom.js';

const CITED = /^\[(\d{1,3})\](?!\()/;
const MARKED_ITEM = /^(?:[-*+]|\d{1,9}[.)])\s/;
const escaped = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** Indented lines of a paragraph as items of a list, each on its level: Markdown joins them to the line before. */
function asList(text) {
  let above = '';
  return text.split('\n').map((line) => {
    const [, indent, rest] = /^((?: {2})*)(.*)$/.exec(line);
    const ends = above && !indent ? '\n' : ''; // without an empty line, a list takes the line behind it in
    above = indent;
    return indent && !MARKED_ITEM.test(rest) ? `${indent.slice(2)}- ${rest}` : ends + line;
  }).join('\n');
}

/** HTML in an answer is shown as text; images are not loaded; syntax that hides text is disabled. */
const marked = new Marked({
  gfm: true,
  breaks: true,
  extensions: [{
    name: 'citation',
    level: 'inline',
    start: (text) => text.match(/\[\d/)?.index,
    tokenizer(text) {
      const [raw, n] = CITED.exec(text) || [];
      return raw && { type: 'citation', raw, n };
    },
    renderer: ({ n }) => `<cite data-n="${n}">[${n}]</cite>`,
  }, {
    name: 'levels',
    renderer({ tokens }) { return this.parser.parse(tokens); },
  }],
  tokenizer: {
    html() {},
    tag() {},
    def() {},
    code() {},
    lheading() {},
    paragraph(source) {
      const [raw = ''] = this.rules.block.paragraph.exec(source) || [];
      const list = asList(raw);
      return list !== raw && { type: 'levels', raw, tokens: this.lexer.blockTokens(list) };
    },
  },
  renderer: {
    heading({ tokens, depth }) {
      const tag = `h${Math.min(6, depth + 2)}`; // the question above is an h2
      return `<${tag}>${this.parser.parseInline(tokens)}</${tag}>`;
    },
    image: ({ text }) => escaped(text),
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
});

const CLEAN = {
  ALLOWED_TAGS: ['p', 'br', 'strong', 'em', 'del', 'code', 'pre', 'ul', 'ol', 'li', 'blockquote', 'h3', 'h4', 'h5', 'h6',
    'table', 'thead', 'tbody', 'tr', 'th', 'td', 'a', 'hr', 'cite'],
  ALLOWED_ATTR: ['href', 'start', 'align', 'data-n'],
  ADD_URI_SAFE_ATTR: ['start', 'align', 'data-n'], // other attributes must be URLs of the schemes below
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  RETURN_DOM_FRAGMENT: true,
};

export class Markdown {
  /** `chip(n, block)` creates the element of citation n in an element of the text; null if n is not a source. */
  constructor(chip) {
    this.chip = chip;
    this.element = h('div', { class: 'answer-text' });
    this.silent = false; // a recorded answer is not announced to screen readers
    this.clear();
  }

  clear() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.element.replaceChildren();
    this.blocks = []; // {raw, nodes}
    this.text = '';
    this.told = 0;
    this.top = null;
  }

  /** Append text; shown with the next frame. */
  add(more) {
    this.text += more.replace(/\r\n?/g, '\n');
    this.tell(false);
    this.frame ||= requestAnimationFrame(() => this.draw(this.text.replace(/\[\d{0,3}$/, ''))); // a split chip waits
  }

  /** End the stream. `whole`: the final text, if known. `stale`: redraw the blocks that are shown. */
  end(whole = this.text, stale = false) {
    const shown = this.blocks.reduce((sum, { raw }) => sum + raw.length, 0);
    if (whole !== this.text) this.told = 0;
    const redraw = stale || whole !== this.text || shown > whole.length;
    this.text = whole;
    if (redraw) this.redraw();
    else this.draw(whole);
    this.tell(true);
  }

  redraw() {
    this.element.replaceChildren();
    this.blocks = [];
    this.draw(this.text);
  }

  /** Draw the text: only the last block can change, earlier ones are kept. */
  draw(text) {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    let kept = Math.max(0, this.blocks.findLastIndex(({ nodes }) => nodes.length));
    const from = this.blocks.slice(0, kept).reduce((sum, { raw }) => sum + raw.length, 0);
    const tokens = [...marked.lexer(text.slice(from))];
    while (tokens.length && this.blocks[kept]?.raw === tokens[0].raw) {
      tokens.shift();
      kept += 1;
    }
    for (const { nodes } of this.blocks.splice(kept)) for (const node of nodes) node.remove();
    for (const token of tokens) {
      const nodes = this.nodes(token);
      this.element.append(...nodes);
      this.blocks.push({ raw: token.raw, nodes });
    }
  }

  nodes(token) {
    if (token.type === 'heading') {
      this.top ??= token.depth; // the first heading sets the top level
      token.depth = 1 + Math.max(0, token.depth - this.top);
    }
    const fragment = DOMPurify.sanitize(marked.parser([token]), CLEAN);
    for (const link of fragment.querySelectorAll('a')) {
      if (!link.hasAttribute('href')) link.replaceWith(...link.childNodes);
      Object.assign(link, { target: '_blank', rel: 'noopener noreferrer nofollow', title: link.href });
    }
    for (const wide of fragment.querySelectorAll('table, pre')) {
      const label = wide.localName === 'pre' ? 'answer.code' : 'answer.table';
      const frame = h('div', { class: 'scrolls', tabindex: '0', role: 'group', labels: { 'aria-label': label } });
      wide.replaceWith(frame);
      frame.append(wide);
    }
    for (const cite of fragment.querySelectorAll('cite')) {
      const chip = this.chip(Number(cite.dataset.n), cite.closest('p, li, td, blockquote'));
      cite.replaceWith(chip || cite.textContent);
    }
    return [...fragment.children];
  }

  /** Announce complete sentences to screen readers. */
  tell(whole) {
    const rest = this.text.slice(this.told);
    const end = whole ? rest.length : rest.search(/[.!?。！？\n](?=[^.!?。！？]*$)/) + 1;
    if (end <= 0) return;
    const sentence = rest.slice(0, end).replace(/\[\d{1,3}\]|[*_`#|]/g, '').trim();
    this.told += end;
    if (sentence && !this.silent) announce(sentence);
  }
}
