// The groups of the platform and their members. Those of the company's provider are shown, not changed.

import { call } from '../shared/api.js';
import { confirmDelete } from '../shared/dialogs.js';
import { h, problemLine } from '../shared/dom.js';
import { field, text } from '../shared/fields.js';
import { menuButton } from '../shared/menu.js';
import { attempt, everything } from './parts.js';

const groupPath = (name) => `/groups/${encodeURIComponent(name)}`;
const memberPath = (name, user) => `${groupPath(name)}/members/${encodeURIComponent(user)}`;

export class Groups {
  constructor() {
    this.list = h('ul', { class: 'people-list', labels: { 'aria-label': 'people.groups' } });
    this.none = h('p', { class: 'empty', text: 'people.no_groups', hidden: true });
    this.element = h('section', { class: 'people-part' }, h('h2', { text: 'people.groups' }),
      h('p', { class: 'help', text: 'people.groups_help' }), this.list, this.none, this.form());
  }

  async load() {
    const groups = await everything('/groups');
    this.list.replaceChildren(...groups.map((group) => this.row(group)));
    this.none.hidden = groups.length > 0;
  }

  row(group) {
    const { name } = group;
    const local = group.source === 'local';
    const members = h('div', { class: 'person-below' });
    const details = h('details', { on: { toggle: () => details.open && this.members(group, members) } },
      h('summary', { text: ['people.members', { n: group.members }] }), members);
    return h('li', { class: 'card person', data: { name } },
      h('div', { class: 'person-head' }, h('strong', {}, name), local ? null : h('span', { class: 'pill', text: 'people.external_group' }),
        menuButton(['people.actions', { name }], () => [{
          text: 'dialog.delete',
          danger: true,
          run: async () => {
            if (!(await confirmDelete(['people.delete_group_title', { name }], 'people.delete_group_text'))) return;
            if (await attempt(() => call('DELETE', groupPath(name)), ['people.deleted', { name }])) await this.load();
          },
        }])), details);
  }

  async members(group, element) {
    const { name } = group;
    const local = group.source === 'local';
    await attempt(async () => {
      const found = (await call('GET', groupPath(name))).members;
      const change = async (method, user) => {
        if (await attempt(() => call(method, memberPath(name, user)))) await this.members(group, element);
      };
      const add = h('input', { id: `member-${group.id || name}`, autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', maxlength: '100', labels: { 'aria-label': 'people.member_name', placeholder: 'people.member_name' } });
      const submit = (event) => {
        event.preventDefault();
        if (add.value.trim()) change('PUT', add.value.trim());
      };
      element.replaceChildren(
        h('ul', { class: 'member-list' }, ...found.map((user) => h('li', {}, user,
          local ? h('button', { type: 'button', class: 'quiet small', labels: { 'aria-label': ['people.remove_member', { name: user }] }, text: 'people.remove', on: { click: () => change('DELETE', user) } }) : null))),
        ...(found.length ? [] : [h('p', { class: 'empty', text: 'people.no_members' })]),
        ...(local ? [h('form', { class: 'with-button', novalidate: true, on: { submit } }, add, h('button', { type: 'submit', class: 'secondary', text: 'people.add_member' }))]
          : [h('p', { class: 'help', text: 'people.external_help' })]));
      element.parentElement.querySelector('summary').replaceWith(h('summary', { text: ['people.members', { n: found.length }] }));
    });
  }

  form() {
    const name = field('people.group_name', text(200, '', true));
    const problem = h('p', { class: 'problem', role: 'alert', hidden: true });
    const submit = async (event) => {
      event.preventDefault();
      problemLine(problem, null);
      try {
        await call('POST', '/groups', { body: { name: name.input.value.trim() } });
        name.input.value = '';
        await this.load();
      } catch (error) {
        problemLine(problem, error);
        name.input.focus();
      }
    };
    return h('form', { class: 'card people-form', novalidate: true, on: { submit } }, h('h3', { text: 'people.new_group' }), problem, name,
      h('button', { type: 'submit', class: 'primary', text: 'people.add_group' }));
  }
}
