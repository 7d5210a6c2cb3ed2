// Who is signed in: name and roles in the header, the change of the password, signing out.

import { call, session } from '../shared/api.js';
import { $, h, notify, problemLine } from '../shared/dom.js';
import { bind, plain, t } from '../shared/i18n.js';

const ROLES = {
  reader: 'role.reader', contributor: 'role.contributor', manager: 'role.manager',
  operator: 'role.operator', auditor: 'role.auditor', admin: 'role.admin',
};
const PASSWORD = ['password-current', 'password-new', 'password-again'];

/** The shortest password that the server takes, in characters. */
export const SHORTEST = 12;

/** The name of a role, as a key of a text. */
export const roleText = (role) => ROLES[role] || 'role.reader';

/** What is wrong with a new password that was written twice; null if nothing is. */
export function newPasswordProblem(password, again) {
  if ([...password].length < SHORTEST) return ['account.password_short', { n: SHORTEST }];
  return password === again ? null : 'account.password_differs';
}

export class Account {
  /** `onSignOut()` is called by the button. */
  constructor(onSignOut) {
    this.me = null;
    $('sign-out').addEventListener('click', () => {
      $('account').hidePopover();
      onSignOut();
    });
    $('account').addEventListener('toggle', (event) => {
      $('account-open').setAttribute('aria-expanded', String(event.newState === 'open'));
    });
    $('account-password').addEventListener('click', () => {
      $('account').hidePopover();
      this.changePassword();
    });
    $('password-cancel').addEventListener('click', () => $('password-dialog').close());
    $('password-dialog').addEventListener('cancel', (event) => $('password-cancel').hidden && event.preventDefault());
    $('account-keys').addEventListener('click', () => $('account').hidePopover());
    $('password-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.savePassword();
    });
  }

  /** Learn who is signed in; resolves to that, or null if it is not known. */
  async learn() {
    this.me = await call('GET', '/me').catch(() => null);
    this.show();
    return this.me;
  }

  forget() {
    this.me = null;
    this.show();
    if ($('password-dialog').open) $('password-dialog').close();
    if ($('account').matches(':popover-open')) $('account').hidePopover();
  }

  show() {
    const { me } = this;
    $('account-open').hidden = !session.key;
    const name = me ? me.display_name || me.name : '';
    plain($('account-name'), name);
    plain($('account-who'), name);
    const roles = !me ? [] : me.kind === 'key' ? [me.role] : me.roles;
    const what = () => [me?.display_name ? me.name : '', ...roles.map((role) => t(roleText(role)))].filter(Boolean).join(' · ');
    bind($('account-what'), 'app.value', { value: what });
    const groups = me?.groups || [];
    $('account-groups').hidden = !groups.length;
    if (groups.length) bind($('account-groups'), 'account.groups', { names: groups.join(', ') });
    $('account-keys').hidden = !session.isPerson;
    $('account-password').hidden = !session.isPerson || !me?.has_password;
  }

  /** Open the dialog; `must`: nothing else is possible before. */
  changePassword(must = false) {
    for (const id of PASSWORD) $(id).value = '';
    $('password-must').hidden = !must;
    $('password-cancel').hidden = must;
    $('password-user').value = this.me?.name || '';
    problemLine($('password-problem'), null);
    if (!$('password-dialog').open) $('password-dialog').showModal();
    $('password-current').focus();
  }

  async savePassword() {
    const [current, password, again] = PASSWORD.map((id) => $(id).value);
    const wrong = current ? newPasswordProblem(password, again) : 'account.password_missing';
    problemLine($('password-problem'), wrong);
    if (wrong) {
      $(current ? 'password-new' : 'password-current').focus();
      return;
    }
    $('password-save').disabled = true;
    try {
      await call('POST', '/auth/password', { body: { current, new: password } });
      $('password-dialog').close();
      for (const id of PASSWORD) $(id).value = '';
      notify('account.password_changed', 'good');
      await this.learn();
    } catch (problem) {
      problemLine($('password-problem'), problem);
      $('password-current').select();
    } finally {
      $('password-save').disabled = false;
    }
  }
}

/** The roles as small labels. */
export const roleLabels = (roles) => roles.map((role) => h('span', { class: 'pill', data: { role }, text: roleText(role) }));
