// Legal holds: the list, setting one, ending one.

import { call } from '../shared/api.js';
import { askForText } from '../shared/dialogs.js';
import { h, problemLine } from '../shared/dom.js';
import { field, text } from '../shared/fields.js';
import { exactMoment } from '../shared/format.js';
import { attempt, everything, select } from '../people/parts.js';

const LONGEST = 2000;

export class Holds {
  constructor() {
    this.list = h('ul', { class: 'audit-holds', labels: { 'aria-label': 'audit.holds' } });
    this.none = h('p', { class: 'empty', text: 'audit.no_holds', hidden: true });
    this.place = h('div', {});
    this.element = h('section', { class: 'card audit-card', 'aria-labelledby': 'audit-holds-title' },
      h('h2', { id: 'audit-holds-title', text: 'audit.holds' }), h('p', { class: 'help', text: 'audit.holds_lead' }),
      this.list, this.none, this.place);
  }

  async load() {
    const [{ items: held }, kbs] = await Promise.all([call('GET', '/audit/holds'), everything('/knowledge-bases')]);
    const names = new Set(held.map((hold) => hold.knowledge_base));
    this.list.replaceChildren(...held.map((hold) => this.row(hold)));
    this.none.hidden = held.length > 0;
    const free = kbs.filter((kb) => !names.has(kb.name));
    this.place.replaceChildren(...(free.length ? [this.form(free)] : []));
  }

  row({ knowledge_base: kb, reason, actor, at }) {
    const end = async () => {
      const why = await askForText(['audit.hold_end_title', { kb }], 'audit.hold_reason', '', { maxLength: LONGEST });
      if (!why) return;
      const body = { knowledge_base: kb, reason: why };
      if (await attempt(() => call('POST', '/audit/holds/end', { body }), ['audit.hold_ended', { kb }])) await this.load();
    };
    return h('li', {}, h('div', { class: 'audit-list-head' }, h('strong', {}, kb),
      h('button', { type: 'button', class: 'stop small', labels: { 'aria-label': ['audit.hold_end_name', { kb }] }, text: 'audit.hold_end', on: { click: end } })),
    h('p', {}, reason), h('p', { class: 'help', text: ['audit.hold_by', { actor, when: () => exactMoment(at) }] }));
  }

  form(kbs) {
    const kb = field('audit.kb', select(kbs.map((each) => [each.name, ['app.value', { value: each.name }]]), kbs[0].name));
    const reason = field('audit.hold_reason', text(LONGEST));
    const problem = h('p', { class: 'problem', role: 'alert', hidden: true });
    const submit = async (event) => {
      event.preventDefault();
      const body = { knowledge_base: kb.input.value, reason: reason.input.value.trim() };
      problemLine(problem, body.reason ? null : 'audit.hold_missing');
      if (!body.reason) {
        reason.input.focus();
        return;
      }
      if (await attempt(() => call('POST', '/audit/holds', { body }), ['audit.hold_done', { kb: body.knowledge_base }])) await this.load();
    };
    return h('details', {}, h('summary', { text: 'audit.hold_new' }), h('form', { class: 'person-form', novalidate: true, on: { submit } },
      problem, kb, reason, h('button', { type: 'submit', class: 'primary', text: 'audit.hold_set' })));
  }
}
