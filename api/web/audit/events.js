// The list of events: a sentence each, with its details when it is opened; and the export of all that match.

import { call } from '../shared/api.js';
import { h } from '../shared/dom.js';
import { exactMoment } from '../shared/format.js';
import { bind } from '../shared/i18n.js';
import { documentsAddress, visit } from '../shared/route.js';
import { runAddress } from '../shared/runs.js';
import { answersAddress, eventsAddress, recordAddress } from './address.js';
import { Filter } from './filter.js';
import { saveAs } from './saving.js';
import { actorName, sentence } from './sentence.js';

const PAGE = '50';
const FORMATS = [['jsonl', 'audit.export_jsonl', 'jsonl'], ['csv', 'audit.export_csv', 'csv'], ['ocsf', 'audit.export_ocsf', 'ocsf.jsonl']];
const OUTCOMES = { refused: 'audit.refused', failed: 'audit.failed' };
const FACTS = [
  ['at', 'audit.at'], ['actor', 'audit.actor'], ['action', 'audit.action'], ['code', 'audit.code'], ['knowledge_base', 'audit.kb'],
  ['object_type', 'audit.kind'], ['object_id', 'audit.object'], ['object_name', 'audit.name'], ['version', 'audit.version'],
  ['address', 'audit.address'], ['key_id', 'audit.key'], ['request_id', 'audit.request'], ['workflow_id', 'audit.workflow'],
  ['run_id', 'audit.run'], ['id', 'audit.id'],
];

export class Events {
  constructor(query) {
    this.filter = new Filter(query, (wanted) => {
      visit(eventsAddress(wanted));
      this.load();
    });
    this.loads = 0;
    this.list = h('ol', { class: 'audit-events', labels: { 'aria-label': 'audit.events' } });
    this.none = h('p', { class: 'empty', role: 'status', text: 'audit.loading' });
    this.more = h('button', { type: 'button', class: 'secondary', text: 'audit.more', hidden: true, on: { click: () => this.next() } });
    this.aside = h('div', { class: 'audit-aside' });
    const formats = FORMATS.map(([format, label, ending]) =>
      h('button', { type: 'button', class: 'secondary small', text: label, on: { click: (event) => this.export(event.target, format, `audit.${ending}`) } }));
    this.element = h('div', { class: 'audit-body' },
      h('div', { class: 'audit-main' }, this.filter.element,
        h('section', { class: 'card audit-list', 'aria-labelledby': 'audit-events-title' },
          h('div', { class: 'audit-list-head' }, h('h2', { id: 'audit-events-title', text: 'audit.events' }),
            h('span', { class: 'audit-exports', role: 'group', labels: { 'aria-label': 'audit.export' } },
              h('span', { class: 'help', text: 'audit.export' }), ...formats)),
          this.list, this.none, this.more)),
      this.aside);
  }

  /** Show the newest events that match. */
  async load() {
    this.cursor = null;
    this.list.replaceChildren();
    this.more.hidden = true;
    this.none.hidden = false;
    bind(this.none, 'audit.loading');
    this.filter.fail(null);
    await this.next();
  }

  async next() {
    const load = (this.loads += 1);
    this.more.disabled = true;
    try {
      const page = await call('GET', '/audit/events', { query: { ...this.filter.wanted, cursor: this.cursor, limit: PAGE } });
      if (load !== this.loads) return;
      const last = this.list.lastElementChild;
      this.list.append(...page.items.map(row));
      last?.nextElementSibling?.querySelector('summary').focus();
      this.cursor = page.next_cursor;
      this.more.hidden = !page.next_cursor;
      this.none.hidden = this.list.childElementCount > 0;
      bind(this.none, 'audit.none');
    } catch (problem) {
      if (load !== this.loads || problem.status === 401) return;
      this.none.hidden = true;
      if (problem.status === 403) throw problem;
      this.filter.fail(problem);
    } finally {
      this.more.disabled = false;
    }
  }

  export(button, format, name) {
    return saveAs(button, `/audit/export?${new URLSearchParams({ ...this.filter.wanted, format })}`, name);
  }
}

function row(event) {
  const details = h('details', { data: { outcome: event.outcome, action: event.action } },
    h('summary', {},
      h('time', { datetime: event.at, text: ['app.value', { value: () => exactMoment(event.at) }] }),
      h('span', { class: 'audit-sentence', text: sentence(event) }),
      OUTCOMES[event.outcome] ? h('span', { class: 'pill', data: { state: 'failed' }, text: OUTCOMES[event.outcome] }) : null,
      event.knowledge_base ? h('span', { class: 'pill' }, event.knowledge_base) : null));
  details.addEventListener('toggle', () => details.childElementCount === 1 && details.append(...facts(event)));
  return h('li', {}, details);
}

function facts(event) {
  const shown = FACTS.filter(([name]) => event[name] !== null && event[name] !== undefined);
  const known = Object.keys(event.detail).length > 0;
  return [
    h('p', { class: 'audit-links' }, ...links(event)),
    h('dl', { class: 'audit-facts' }, ...shown.flatMap(([name, label]) => [h('dt', { text: label }), h('dd', {}, String(event[name]))]),
      ...(known ? [h('dt', { text: 'audit.detail' }), h('dd', {}, h('pre', {}, JSON.stringify(event.detail, null, 2)))] : [])),
  ];
}

function links(event) {
  const { object_id: id, object_name: name, knowledge_base: kb } = event;
  const type = event.action === 'audit.answers' ? 'document' : event.object_type;
  const run = runAddress(event.workflow_id);
  const found = [
    h('a', { href: eventsAddress({ actor: event.actor }), text: ['audit.of_actor', { name: () => actorName(event.actor) }] }),
    id && h('a', { href: eventsAddress({ object: id }), text: 'audit.of_object' }),
    id && type === 'question' && h('a', { href: recordAddress(id), text: 'audit.record' }),
    id && type === 'document' && h('a', { href: answersAddress(id), text: 'audit.answers' }),
    type === 'document' && kb && name && h('a', { href: documentsAddress(kb, new URLSearchParams({ search: name })), text: 'audit.in_documents' }),
    run && h('a', { href: run, target: '_blank', rel: 'noreferrer', text: 'runs.open' }),
  ];
  return found.filter(Boolean);
}
