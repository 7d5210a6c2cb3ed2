// Which events are shown: the form, which the address has too.

import { h, problemLine } from '../shared/dom.js';
import { field, number, text } from '../shared/fields.js';
import { SENTENCES } from '../texts/audit.js';
import { select } from '../people/parts.js';
import { FILTERS } from './address.js';
import { actionText } from './sentence.js';

const OUTCOMES = [['', 'audit.any'], ['done', 'audit.done'], ['refused', 'audit.refused'], ['failed', 'audit.failed']];
const VERSIONS = [1, 2 ** 53 - 1];

export class Filter {
  /** `onChange(wanted)` gets those of FILTERS that are set. */
  constructor(query, onChange) {
    const at = (name) => query.get(name) || '';
    const action = text(64, at('action'));
    action.setAttribute('list', 'audit-actions');
    this.fields = {
      actor: field('audit.actor', text(300, at('actor'))),
      action: field('audit.action', action, 'audit.action_help'),
      kb: field('audit.kb', text(300, at('kb'))),
      name: field('audit.name', text(300, at('name'))),
      object: field('audit.object', text(64, at('object'))),
      version: field('audit.version', number(...VERSIONS, at('version'), false)),
      outcome: field('audit.outcome', select(OUTCOMES, at('outcome'))),
      since: field('audit.since', moment(at('since'))),
      until: field('audit.until', moment(at('until'))),
    };
    this.problem = h('p', { class: 'problem', role: 'alert', hidden: true });
    const submit = (event) => {
      event.preventDefault();
      if (event.target.reportValidity()) onChange(this.wanted);
    };
    const clear = () => {
      for (const { input } of Object.values(this.fields)) input.value = '';
      onChange({});
    };
    this.element = h('form', { class: 'card audit-filter', labels: { 'aria-label': 'audit.filters' }, on: { submit } },
      this.problem, ...Object.values(this.fields),
      h('datalist', { id: 'audit-actions' }, ...Object.keys(SENTENCES).map((each) =>
        h('option', { value: each, labels: { label: actionText(each) } }))),
      h('div', { class: 'audit-filter-foot' }, h('button', { type: 'submit', class: 'primary', text: 'audit.show' }),
        h('button', { type: 'button', class: 'secondary', text: 'audit.clear', on: { click: clear } })));
  }

  /** Those of FILTERS that are set; times in UTC. */
  get wanted() {
    const pairs = FILTERS.map((name) => [name, value(this.fields[name].input)]);
    return Object.fromEntries(pairs.filter(([, each]) => each));
  }

  fail(problem) {
    problemLine(this.problem, problem);
  }
}

function value(input) {
  if (input.type !== 'datetime-local' || !input.value) return input.value.trim();
  return new Date(input.value).toISOString();
}

/** A field for a time of the reader's clock, filled with an ISO time. */
function moment(iso) {
  const date = new Date(iso);
  const known = iso && !Number.isNaN(date.getTime());
  const local = known ? new Date(date - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16) : '';
  return h('input', { type: 'datetime-local', value: local });
}
