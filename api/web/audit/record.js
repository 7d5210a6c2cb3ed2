// The record of a question: what was asked, searched, found and answered.

import { call } from '../shared/api.js';
import { h } from '../shared/dom.js';
import { locale } from '../shared/i18n.js';
import { answersAddress, eventsAddress } from './address.js';
import { saving } from './saving.js';

const FACTS = [
  ['question', 'audit.question'], ['standalone', 'audit.searched'], ['actor', 'audit.actor'], ['created_at', 'audit.asked_at'],
  ['knowledge_base', 'audit.kb'], ['language_model', 'audit.model'], ['embedding_model', 'audit.embedding'], ['generation', 'audit.generation'],
];

export class Record {
  constructor(id) {
    Object.assign(this, { id, title: 'audit.record_title' });
    this.element = h('div', { class: 'audit-record' }, h('p', { class: 'empty', role: 'status', text: 'audit.loading' }));
  }

  async load() {
    let record;
    try {
      record = await call('GET', `/audit/questions/${encodeURIComponent(this.id)}`);
    } catch (problem) {
      this.element.replaceChildren();
      throw problem;
    }
    const cited = new Set(record.citations.map((citation) => citation.chunk_id));
    this.element.replaceChildren(
      h('section', { class: 'card audit-list' },
        record.deleted_at ? h('p', { class: 'problem', text: 'audit.erased_text' }) : null,
        h('dl', { class: 'audit-facts' }, ...FACTS.filter(([name]) => record[name])
          .flatMap(([name, label]) => [h('dt', { text: label }), h('dd', {}, String(record[name]))])),
        h('p', { class: 'audit-links' }, h('a', { href: eventsAddress({ object: this.id }), text: 'audit.of_object' }),
          saving('audit.proof', `/audit/questions/${encodeURIComponent(this.id)}/proof`, `proof-${this.id}.json`))),
      h('section', { class: 'card audit-list' }, h('h2', { text: 'audit.answer' }),
        record.answer ? h('p', { class: 'audit-answer' }, record.answer) : h('p', { class: 'empty', text: 'audit.no_answer' })),
      ...(record.sources.length ? [h('section', { class: 'card audit-list' }, h('h2', { text: 'audit.sources' }),
        h('ol', { class: 'audit-events' }, ...record.sources.map((source) => row(source, cited.has(source.chunk_id)))))] : []));
  }
}

function row(source, isCited) {
  const score = () => new Intl.NumberFormat(locale(), { minimumFractionDigits: 3, maximumFractionDigits: 3 }).format(source.score);
  const named = { number: String(source.n), name: source.document_name, version: String(source.version) };
  return h('li', { class: 'audit-use' },
    h('span', { class: 'audit-sentence', text: ['audit.source', named] }),
    isCited ? h('span', { class: 'pill', data: { state: 'ready' }, text: 'audit.cited' }) : null,
    h('span', { class: 'help', text: ['audit.score', { value: score }] }),
    h('a', { href: answersAddress(source.document_id, String(source.version)), text: 'audit.answers' }));
}
