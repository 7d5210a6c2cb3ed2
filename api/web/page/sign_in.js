// The sign-in form: an API key, verified with one call before it is used.

import { Problem, call, session } from '../shared/api.js';
import { $, problemLine } from '../shared/dom.js';
import { bind } from '../shared/i18n.js';

export class SignIn {
  /** `onDone()` is called once the key is accepted. */
  constructor(onDone) {
    this.onDone = onDone;
    $('sign-in-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
    $('key-show').addEventListener('click', () => this.reveal($('key').type === 'password'));
  }

  open(problem = null) {
    $('sign-in-form').reset();
    this.reveal(false);
    problemLine($('sign-in-problem'), problem);
    $('key').focus();
  }

  reveal(shown) {
    $('key').type = shown ? 'text' : 'password';
    bind($('key-show'), shown ? 'sign_in.hide' : 'sign_in.show');
  }

  async submit() {
    const key = $('key').value.trim().replace(/^HOLDFAST_API_KEY\s*=\s*/, '').replace(/^(["'])(.*)\1$/, '$2');
    const wrong = !key ? 'sign_in.missing' : /[^\x21-\x7e]/.test(key) ? 'sign_in.not_a_key' : null;
    if (wrong) {
      problemLine($('sign-in-problem'), wrong);
      $('key').focus();
      return;
    }
    $('sign-in-submit').disabled = true;
    session.signIn(key, $('keep').checked);
    try {
      await call('GET', '/knowledge-bases');
      $('key').value = '';
      this.onDone();
    } catch (problem) {
      session.signOut();
      problemLine($('sign-in-problem'), problem instanceof Problem ? problem : 'error.offline');
      $('key').select();
    } finally {
      $('sign-in-submit').disabled = false;
    }
  }
}
