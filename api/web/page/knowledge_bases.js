// The choice and creation of knowledge bases.

import { call } from '../shared/api.js';
import { $, h, notify, problemLine } from '../shared/dom.js';
import { kbAddress } from '../shared/route.js';

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Counts by state → {total, ready, failed, pending}. */
export function counts(documents = {}) {
  const { total = 0, ready = 0, failed = 0, canceled = 0 } = documents;
  return { total, ready, failed, pending: Math.max(0, total - ready - failed - canceled) };
}

export class KnowledgeBases {
  constructor() {
    this.cursor = null;
    $('kbs-more').addEventListener('click', () => this.load());
    $('kb-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.create();
    });
    $('kb-name').addEventListener('input', () => problemLine($('kb-problem'), null));
  }

  async open() {
    this.cursor = null;
    $('kbs').replaceChildren();
    $('kb-form').reset();
    problemLine($('kb-problem'), null);
    await this.load();
  }

  async load() {
    $('kbs-more').disabled = true;
    try {
      const page = await call('GET', '/knowledge-bases', { query: { cursor: this.cursor } });
      if (!this.cursor) $('kbs').replaceChildren();
      this.cursor = page.next_cursor;
      $('kbs').append(...page.items.map(card));
      if (!$('kbs').childElementCount) $('kbs').append(h('li', { class: 'empty', text: 'kb.none' }));
      $('kbs-more').hidden = !this.cursor;
    } catch (problem) {
      if (problem.status !== 401) notify(problem);
    } finally {
      $('kbs-more').disabled = false;
    }
  }

  async create() {
    const name = $('kb-name').value.trim();
    const title = $('kb-heading').value.trim();
    if (!NAME.test(name)) {
      problemLine($('kb-problem'), 'kb.name_invalid');
      $('kb-name').focus();
      return;
    }
    $('kb-submit').disabled = true;
    try {
      const made = await call('POST', '/knowledge-bases', { body: { name, ...(title && { title }) } });
      location.hash = kbAddress(made.name);
    } catch (problem) {
      problemLine($('kb-problem'), problem);
      $('kb-name').focus();
    } finally {
      $('kb-submit').disabled = false;
    }
  }
}

function card(kb) {
  const { total, failed, pending } = counts(kb.documents);
  return h('li', {}, h('a', { class: 'kb', href: kbAddress(kb.name) },
    h('span', { class: 'kb-title' }, kb.title || kb.name),
    kb.title && kb.title !== kb.name ? h('span', { class: 'kb-name' }, kb.name) : null,
    h('span', { class: 'kb-counts' },
      h('span', { text: ['kb.documents', { n: total }] }),
      pending ? h('span', { class: 'busy', text: ['kb.pending', { n: pending }] }) : null,
      failed ? h('span', { class: 'bad', text: ['kb.failed', { n: failed }] }) : null)));
}
