// The answers that used a document, or a version of it.

import { call } from '../shared/api.js';
import { h } from '../shared/dom.js';
import { field, number } from '../shared/fields.js';
import { exactMoment } from '../shared/format.js';
import { bind } from '../shared/i18n.js';
import { answersAddress, recordAddress } from './address.js';
import { actorName } from './sentence.js';

const PAGE = '50';
const VERSIONS = [1, 2 ** 53 - 1];

export class Answers {
  constructor(id, version) {
    Object.assign(this, { id, version, cursor: null, title: 'audit.answers_title' });
    this.lead = h('p', { class: 'help' });
    this.list = h('ul', { class: 'audit-events' });
    this.none = h('p', { class: 'empty', role: 'status', text: 'audit.loading' });
    this.more = h('button', { type: 'button', class: 'secondary', text: 'audit.more', hidden: true, on: { click: () => this.next() } });
    const wanted = field('audit.version', number(...VERSIONS, version, false));
    const submit = (event) => {
      event.preventDefault();
      location.hash = answersAddress(id, wanted.input.value);
    };
    this.element = h('section', { class: 'card audit-list' }, this.lead,
      h('form', { class: 'with-button audit-version', on: { submit } }, wanted, h('button', { type: 'submit', class: 'secondary', text: 'audit.show' })),
      this.list, this.none, this.more);
  }

  async load() {
    const { items } = await call('GET', '/audit/events', { query: { object: this.id, action: 'document', limit: '1' } }); // also of a deleted one
    bind(this.lead, 'audit.answers_of', { name: items[0]?.object_name || this.id });
    await this.next();
  }

  async next() {
    this.more.disabled = true;
    try {
      const query = { version: this.version, cursor: this.cursor, limit: PAGE };
      const page = await call('GET', `/audit/documents/${encodeURIComponent(this.id)}/answers`, { query });
      this.list.append(...page.items.map(row));
      this.cursor = page.next_cursor;
      this.more.hidden = !page.next_cursor;
      bind(this.none, 'audit.no_answers');
      this.none.hidden = this.list.childElementCount > 0;
    } catch (problem) {
      this.none.hidden = true;
      throw problem;
    } finally {
      this.more.disabled = false;
    }
  }
}

function row(use) {
  return h('li', { class: 'audit-use' },
    h('time', { datetime: use.at, text: ['app.value', { value: () => exactMoment(use.at) }] }),
    h('span', { class: 'audit-sentence' }, h('span', { text: ['audit.answered', { actor: () => actorName(use.actor), kb: use.knowledge_base }] }), ' ',
      h('span', { class: 'help', text: ['audit.used', { n: use.passages, version: String(use.version) }] })),
    use.cited ? h('span', { class: 'pill', data: { state: 'ready' }, text: 'audit.quoted' }) : null,
    use.deleted ? h('span', { class: 'pill', text: 'audit.erased' }) : null,
    h('a', { href: recordAddress(use.question_id), text: 'audit.record' }));
}
