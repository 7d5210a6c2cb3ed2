// The view of an invitation's link: its user chooses a password, once. #/invitation/TOKEN

import { acceptInvitation, session } from '../shared/api.js';
import { $, h, problemLine } from '../shared/dom.js';
import { rename } from '../shared/route.js';
import { SHORTEST, newPasswordProblem } from './account.js';

const PLACE = /^#\/invitation\/([\w-]+)$/;

/** The token of the invitation at the current address; null elsewhere. */
export const invitationHere = () => PLACE.exec(location.hash)?.[1] || null;

export const invitationAddress = (token) => `${location.origin}/#/invitation/${token}`;

export class Invitation {
  /** `onDone()` when the password is set and the person signed in; `onSignIn(problem)` when it is not known as whom. */
  constructor(onDone) {
    this.onDone = onDone;
  }

  open(token) {
    const problem = h('p', { class: 'problem', role: 'alert', hidden: true });
    const password = h('input', { id: 'invited', type: 'password', autocomplete: 'new-password', maxlength: '1024', 'aria-describedby': 'invited-rule' });
    const again = h('input', { id: 'invited-again', type: 'password', autocomplete: 'new-password', maxlength: '1024' });
    const button = h('button', { type: 'submit', class: 'primary', text: 'invitation.submit' });
    const submit = async (event) => {
      event.preventDefault();
      const wrong = newPasswordProblem(password.value, again.value);
      problemLine(problem, wrong);
      if (wrong) {
        password.focus();
        return;
      }
      button.disabled = true;
      try {
        const user = await acceptInvitation(token, password.value);
        rename('#/');
        await session.enter(user.name, password.value, false);
        this.onDone();
      } catch (error) {
        problemLine(problem, error.status === 401 ? 'invitation.void' : error);
        button.disabled = false;
      }
    };
    $('view-invitation').replaceChildren(
      h('h1', { id: 'invitation-title', tabindex: '-1', text: 'invitation.title' }),
      h('p', { text: 'invitation.lead' }),
      h('form', { class: 'card', novalidate: true, on: { submit } }, problem,
        h('div', { class: 'field' }, h('label', { for: 'invited', text: 'account.password_new' }), password,
          h('p', { class: 'help', id: 'invited-rule', text: ['account.password_rule', { n: SHORTEST }] })),
        h('div', { class: 'field' }, h('label', { for: 'invited-again', text: 'account.password_again' }), again),
        button));
    password.focus();
  }

  close() {
    $('view-invitation').replaceChildren();
  }
}
