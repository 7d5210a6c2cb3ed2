// The panel of access: who may do what in a knowledge base, for its managers.

import { call } from '../shared/api.js';
import { confirmAction } from '../shared/dialogs.js';
import { $, h, notify, problemLine } from '../shared/dom.js';
import { field, text } from '../shared/fields.js';
import { roleText } from '../page/account.js';
import { attempt, everything, select } from './parts.js';

const ROLES = [['reader', 'role.reader'], ['contributor', 'role.contributor'], ['manager', 'role.manager']];
const MEANINGS = [['role.reader', 'access.reader'], ['role.contributor', 'access.contributor'], ['role.manager', 'access.manager']];
const KINDS = [['user', 'access.user'], ['group', 'access.group']];

export class AccessPanel {
  constructor() {
    this.kb = null;
    this.list = h('ul', { class: 'people-list', labels: { 'aria-label': 'access.list' } });
    this.none = h('p', { class: 'empty', text: 'access.none', hidden: true });
    $('panel-access').append(
      h('header', { class: 'panel-head' }, h('h1', { id: 'access-title', tabindex: '-1', text: 'access.title' }),
        h('p', { class: 'help', text: 'access.lead' })),
      h('div', { class: 'people-sections' }, this.list, this.none, this.form(),
        h('section', { class: 'people-part' }, h('h2', { text: 'access.roles' }),
          h('dl', { class: 'meanings' }, ...MEANINGS.flatMap(([name, text]) => [h('dt', { text: name }), h('dd', { text })])),
          h('p', { class: 'help', text: 'access.platform' }))));
  }

  get base() {
    return `/knowledge-bases/${encodeURIComponent(this.kb)}/grants`;
  }

  path({ kind, name }) {
    return `${this.base}/${kind}/${encodeURIComponent(name)}`;
  }

  async open(kb) {
    if (this.kb === kb) return;
    this.close();
    this.kb = kb;
    await this.load();
  }

  close() {
    this.kb = null;
    this.list.replaceChildren();
    this.none.hidden = true;
  }

  async load() {
    const { kb } = this;
    try {
      const grants = await everything(this.base);
      if (kb !== this.kb) return;
      this.list.replaceChildren(...grants.map((grant) => this.row(grant)));
      this.none.hidden = grants.length > 0;
    } catch (problem) {
      if (problem.status !== 401 && kb === this.kb) notify(problem);
    }
  }

  row(grant) {
    const { name } = grant;
    const role = select(ROLES, grant.role);
    role.setAttribute('aria-label', name);
    role.addEventListener('change', async () => {
      await attempt(() => call('PUT', this.path(grant), { body: { role: role.value } }), ['access.changed', { name }]);
      await this.load();
    });
    const remove = async () => {
      const sure = await confirmAction(['access.remove_title', { name }], 'access.remove_text', 'access.remove', 'dialog.keep');
      if (sure && await attempt(() => call('DELETE', this.path(grant)), ['access.removed', { name }])) await this.load();
    };
    return h('li', { class: 'card person grant', data: { name } },
      h('div', { class: 'person-head' }, h('strong', {}, name), h('span', { class: 'pill', text: grant.kind === 'group' ? 'access.group' : 'access.user' }),
        role, h('button', { type: 'button', class: 'stop small', labels: { 'aria-label': ['access.remove_name', { name }] }, text: 'access.remove', on: { click: remove } })));
  }

  form() {
    const kind = field('access.kind', select(KINDS, 'user'));
    const name = field('access.name', text(200, '', true));
    const role = field('access.role', select(ROLES, 'reader'), null);
    const problem = h('p', { class: 'problem', role: 'alert', hidden: true });
    const submit = async (event) => {
      event.preventDefault();
      const grant = { kind: kind.input.value, name: name.input.value.trim() };
      problemLine(problem, grant.name ? null : 'access.name_missing');
      if (!grant.name) {
        name.input.focus();
        return;
      }
      try {
        await call('PUT', this.path(grant), { body: { role: role.input.value } });
        name.input.value = '';
        await this.load();
      } catch (error) {
        problemLine(problem, error);
        name.input.focus();
      }
    };
    return h('form', { class: 'card people-form', id: 'access-form', novalidate: true, on: { submit } }, h('h2', { text: 'access.new' }), problem,
      h('div', { class: 'field-row' }, kind, name, role), h('button', { type: 'submit', class: 'primary', text: 'access.give' }));
  }
}
