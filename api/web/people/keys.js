// The page of one's own API keys: each is shown once, has a role, and can be limited in time and to knowledge bases.

import { call } from '../shared/api.js';
import { confirmAction } from '../shared/dialogs.js';
import { $, h, notify, problemLine } from '../shared/dom.js';
import { field, number, text } from '../shared/fields.js';
import { moment } from '../shared/format.js';
import { roleText } from '../page/account.js';
import { attempt, choices, everything, secretBox, select } from './parts.js';

const ROLES = ['reader', 'contributor', 'manager'];
const DAYS = [1, 3650];
const DAY_MS = 86_400_000;

/** Whether the current address is that of the keys. */
export const atKeys = () => /^#\/keys\/?$/.test(location.hash);

export class Keys {
  /** `me()` is who is signed in. */
  constructor(me) {
    this.me = me;
    this.isOpen = false;
  }

  async open() {
    this.isOpen = true;
    this.list = h('ul', { class: 'people-list', labels: { 'aria-label': 'keys.title' } });
    this.none = h('p', { class: 'empty', text: 'keys.none', hidden: true });
    this.place = h('div', {});
    $('view-keys').replaceChildren(
      h('header', { class: 'people-head' }, h('h1', { id: 'keys-title', tabindex: '-1', text: 'keys.title' }),
        h('a', { href: '#/', text: 'people.back' })),
      h('p', { text: 'keys.lead' }), this.list, this.none, this.place);
    $('keys-title').focus();
    try {
      await this.load();
      const kbs = await everything('/knowledge-bases');
      if (this.isOpen) this.place.replaceChildren(this.form(kbs));
    } catch (problem) {
      if (problem.status !== 401 && this.isOpen) notify(problem);
    }
  }

  close() {
    this.isOpen = false;
    $('view-keys').replaceChildren();
  }

  async load() {
    const me = this.me()?.name;
    const { items } = await call('GET', '/keys');
    const keys = items.filter((key) => !key.revoked_at && key.owner === me);
    this.list.replaceChildren(...keys.map((key) => this.row(key)));
    this.none.hidden = keys.length > 0;
  }

  row(key) {
    const over = key.expires_at && new Date(key.expires_at) < new Date();
    const revoke = async () => {
      const sure = await confirmAction(['keys.revoke_title', { name: key.name || key.id }], 'keys.revoke_text', 'keys.revoke', 'dialog.keep');
      if (sure && await attempt(() => call('DELETE', `/keys/${encodeURIComponent(key.id)}`), 'keys.revoked')) await this.load();
    };
    const bases = key.knowledge_bases;
    return h('li', { class: 'card person', data: { id: key.id } },
      h('div', { class: 'person-head' }, h('strong', {}, key.name || key.id),
        h('span', { class: 'pill', text: roleText(key.role) }),
        over ? h('span', { class: 'pill', data: { state: 'failed' }, text: 'keys.over' }) : null,
        h('button', { type: 'button', class: 'stop small', labels: { 'aria-label': ['keys.revoke_name', { name: key.name || key.id }] }, text: 'keys.revoke', on: { click: revoke } })),
      h('p', { class: 'person-facts' },
        h('span', { text: bases ? ['keys.in', { n: bases.length }] : 'keys.everywhere' }),
        h('span', { text: key.expires_at ? ['keys.until', { when: () => moment(key.expires_at) }] : 'keys.no_end' }),
        h('span', { text: key.last_used_at ? ['keys.last_used', { when: () => moment(key.last_used_at) }] : 'keys.unused' })));
  }

  form(kbs) {
    const platform = this.me()?.roles || [];
    const name = field('keys.name', text(200, '', true), 'keys.name_help');
    const role = field('keys.role', select([...ROLES, ...platform].map((each) => [each, roleText(each)]), 'reader'), 'keys.role_help');
    const days = field('keys.days', number(...DAYS, '90', false), 'keys.days_help');
    const bases = kbs.length ? choices('keys.bases', kbs.map((kb) => [kb.name, ['people.plain', { value: kb.title || kb.name }], ['people.plain', { value: kb.title ? kb.name : '' }]])) : null;
    const problem = h('p', { class: 'problem', role: 'alert', hidden: true });
    const made = h('div', {});
    const submit = async (event) => {
      event.preventDefault();
      problemLine(problem, null);
      made.replaceChildren();
      const limit = days.input.value ? new Date(Date.now() + Number(days.input.value) * DAY_MS).toISOString() : null;
      const within = bases?.values.length ? { knowledge_bases: bases.values } : {};
      try {
        const key = await call('POST', '/keys', { body: { name: name.input.value.trim(), role: role.input.value, ...(limit ? { expires_at: limit } : {}), ...within } });
        form.reset();
        made.replaceChildren(secretBox(key.key, 'keys.made'));
        made.querySelector('input').focus();
        await this.load();
      } catch (error) {
        problemLine(problem, error);
        name.input.focus();
      }
    };
    const form = h('form', { class: 'card people-form', novalidate: true, on: { submit } }, h('h2', { text: 'keys.new' }), problem, name, role, days, bases,
      h('button', { type: 'submit', class: 'primary', text: 'keys.create' }), made);
    return form;
  }
}
