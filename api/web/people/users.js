// The users of the platform: invitations, roles, disabling, signing out, removal. For administrators.

import { call } from '../shared/api.js';
import { confirmAction, confirmDelete } from '../shared/dialogs.js';
import { h, problemLine } from '../shared/dom.js';
import { field, text } from '../shared/fields.js';
import { moment } from '../shared/format.js';
import { menuButton } from '../shared/menu.js';
import { roleLabels } from '../page/account.js';
import { invitationAddress } from '../page/invitation.js';
import { attempt, choices, everything, secretBox, select } from './parts.js';

const ROLES = [
  ['operator', 'role.operator', 'role.operator_help'],
  ['auditor', 'role.auditor', 'role.auditor_help'],
  ['admin', 'role.admin', 'role.admin_help'],
];
const userPath = (name, action) => `/users/${encodeURIComponent(name)}${action ? `/${action}` : ''}`;

export class Users {
  /** `me()` is who is signed in. */
  constructor(me) {
    this.me = me;
    this.list = h('ul', { class: 'people-list', labels: { 'aria-label': 'people.users' } });
    this.none = h('p', { class: 'empty', text: 'people.no_users', hidden: true });
    this.element = h('section', { class: 'people-part' }, h('h2', { text: 'people.users' }), this.list, this.none, this.form());
  }

  async load() {
    const users = await everything('/users');
    this.list.replaceChildren(...users.map((user) => this.row(user)));
    this.none.hidden = users.length > 0;
  }

  row(user) {
    const below = h('div', { class: 'person-below' });
    const isMe = user.name === this.me()?.name;
    const facts = [
      user.kind === 'service' && h('span', { text: 'people.service' }),
      user.external && h('span', { text: 'people.external' }),
      h('span', { text: user.last_sign_in_at ? ['people.last_sign_in', { when: () => moment(user.last_sign_in_at) }] : 'people.never' }),
    ];
    return h('li', { class: 'card person', data: { name: user.name, disabled: user.disabled } },
      h('div', { class: 'person-head' },
        h('strong', {}, user.display_name || user.name),
        user.display_name ? h('span', { class: 'person-name' }, user.name) : null,
        user.disabled ? h('span', { class: 'pill', data: { state: 'failed' }, text: 'people.disabled' }) : null,
        ...roleLabels(user.roles),
        menuButton(['people.actions', { name: user.name }], () => this.actions(user, isMe, below))),
      h('p', { class: 'person-facts' }, ...facts.filter(Boolean)), below);
  }

  actions(user, isMe, below) {
    const reload = async (done) => done && this.load();
    const { name } = user;
    return [
      user.kind === 'person' && !user.disabled && { text: 'people.invite', run: () => this.invite(name, below) },
      { text: 'people.change', run: () => below.replaceChildren(this.changeForm(user, isMe, below)) },
      user.kind === 'person' && {
        text: 'people.sign_out',
        run: async () => {
          const sure = await confirmAction(['people.sign_out_title', { name }], 'people.sign_out_text', 'people.sign_out', 'dialog.cancel');
          if (sure) await attempt(() => call('POST', userPath(name, 'sign-out')), ['people.signed_out', { name }]);
        },
      },
      !isMe && user.disabled && {
        text: 'people.enable',
        run: async () => reload(await attempt(() => call('PATCH', userPath(name), { body: { disabled: false } }))),
      },
      !isMe && !user.disabled && {
        text: 'people.disable',
        danger: true,
        run: async () => {
          const sure = await confirmAction(['people.disable_title', { name }], 'people.disable_text', 'people.disable', 'dialog.cancel');
          if (sure) await reload(await attempt(() => call('PATCH', userPath(name), { body: { disabled: true } })));
        },
      },
      !isMe && {
        text: 'dialog.delete',
        danger: true,
        run: async () => {
          if (!(await confirmDelete(['people.delete_title', { name }], 'people.delete_text'))) return;
          await reload(await attempt(() => call('DELETE', userPath(name)), ['people.deleted', { name }]));
        },
      },
    ].filter(Boolean);
  }

  async invite(name, below) {
    await attempt(async () => {
      const { token } = await call('POST', userPath(name, 'invitation'));
      below.replaceChildren(secretBox(invitationAddress(token), 'people.invitation_help'));
      below.querySelector('input').focus();
    });
  }

  changeForm(user, isMe, below) {
    const display = field('people.display_name', text(200, user.display_name));
    const roles = choices('people.roles', ROLES, user.roles);
    if (isMe) roles.disabled = true; // no administrator is left without the role by mistake
    const problem = h('p', { class: 'problem', role: 'alert', hidden: true });
    const submit = async (event) => {
      event.preventDefault();
      try {
        await call('PATCH', userPath(user.name), { body: { display_name: display.input.value.trim(), ...(isMe ? {} : { roles: roles.values }) } });
        await this.load();
      } catch (error) {
        problemLine(problem, error);
      }
    };
    return h('form', { class: 'person-form', novalidate: true, on: { submit } }, problem, display, roles,
      h('div', { class: 'form-foot' }, h('button', { type: 'submit', class: 'primary', text: 'dialog.save' }),
        h('button', { type: 'button', class: 'secondary', text: 'dialog.cancel', on: { click: () => below.replaceChildren() } })));
  }

  form() {
    const name = field('people.name', text(100, '', true), 'people.name_help');
    const display = field('people.display_name', text(200));
    const kind = field('people.kind', select([['person', 'people.person'], ['service', 'people.service']], 'person'), 'people.kind_help');
    const roles = choices('people.roles', ROLES);
    const problem = h('p', { class: 'problem', role: 'alert', hidden: true });
    const button = h('button', { type: 'submit', class: 'primary', text: 'people.add' });
    const made = h('div', {});
    const submit = async (event) => {
      event.preventDefault();
      button.disabled = true;
      problemLine(problem, null);
      made.replaceChildren();
      try {
        const wanted = { name: name.input.value.trim(), display_name: display.input.value.trim(), kind: kind.input.value, roles: roles.values };
        const user = await call('POST', '/users', { body: wanted });
        form.reset();
        if (user.kind === 'person') await this.invite(user.name, made);
        await this.load();
      } catch (error) {
        problemLine(problem, error);
        name.input.focus();
      } finally {
        button.disabled = false;
      }
    };
    const form = h('form', { class: 'card people-form', novalidate: true, on: { submit } }, h('h3', { text: 'people.new_user' }),
      problem, name, display, kind, roles, button, made);
    return form;
  }
}
