// The sign-in view: a password, the company's provider, or an API key, which is verified with one call before it is used.

import { Problem, call, methods, session } from '../shared/api.js';
import { $, problemLine } from '../shared/dom.js';
import { bind } from '../shared/i18n.js';

const WAY = 'holdfast.way'; // how somebody signed in here last: 'password' or 'key'
const REFUSALS = {
  unavailable: 'sign_in.provider_unavailable',
  ended: 'sign_in.provider_ended',
  expired: 'sign_in.provider_expired',
  disabled: 'sign_in.provider_disabled',
  refused: 'sign_in.provider_refused',
};

/** The address to which the provider's answer leads if it is refused: the key of the reason's text; null elsewhere. */
export function refusalHere() {
  const [, reason] = /^#\/sign-in\?refused=(\w+)$/.exec(location.hash) || [];
  return reason ? REFUSALS[reason] || REFUSALS.refused : null;
}

export class SignIn {
  /** `onDone()` is called once somebody has signed in. */
  constructor(onDone) {
    this.onDone = onDone;
    $('sign-in-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
    for (const radio of $('sign-in-ways').querySelectorAll('input')) {
      radio.addEventListener('change', () => this.choose(radio.value, true));
    }
    for (const name of ['key', 'password']) {
      $(`${name}-show`).addEventListener('click', () => reveal(name, $(name).type === 'password'));
    }
    $('provider-start').addEventListener('click', leaveForProvider);
  }

  get way() {
    return $('sign-in-ways').querySelector('input:checked').value;
  }

  open(problem = null) {
    $('sign-in-form').reset();
    for (const name of ['key', 'password']) reveal(name, false);
    problemLine($('sign-in-problem'), problem);
    this.choose(stored() || 'password', true);
    this.showProvider();
  }

  choose(way, focus) {
    for (const radio of $('sign-in-ways').querySelectorAll('input')) radio.checked = radio.value === way;
    $('way-password').hidden = way !== 'password';
    $('way-key').hidden = way !== 'key';
    if (focus) $(way === 'key' ? 'key' : 'username').focus();
  }

  /** Offer the company's provider, if there is one. */
  async showProvider() {
    const found = await methods().catch(() => null);
    $('provider').hidden = !found?.provider;
    if (found?.provider) bind($('provider-start'), 'sign_in.provider', { name: found.provider });
  }

  async submit() {
    const byKey = this.way === 'key';
    const wrong = byKey ? keyProblem(givenKey()) : !$('username').value.trim() || !$('password').value ? 'sign_in.incomplete' : null;
    if (wrong) {
      problemLine($('sign-in-problem'), wrong);
      $(byKey ? 'key' : $('username').value.trim() ? 'password' : 'username').focus();
      return;
    }
    $('sign-in-submit').disabled = true;
    try {
      if (byKey) await enterWithKey(givenKey(), $('keep').checked);
      else await session.enter($('username').value.trim(), $('password').value, $('keep').checked);
      remember(this.way);
      $('key').value = $('password').value = '';
      this.onDone();
    } catch (problem) {
      const refused = !byKey && problem.status === 401 ? 'sign_in.wrong' : problem;
      problemLine($('sign-in-problem'), problem instanceof Problem ? refused : 'error.offline');
      $(byKey ? 'key' : 'password').select();
    } finally {
      $('sign-in-submit').disabled = false;
    }
  }
}

function leaveForProvider() {
  try {
    sessionStorage.setItem('holdfast.return', location.hash); // read by app.js
  } catch {
    // Storage is disabled: the person comes back to the beginning.
  }
  location.assign('/api/v1/auth/oidc');
}

async function enterWithKey(key, keep) {
  session.signIn(key, keep);
  try {
    await call('GET', '/me');
  } catch (problem) {
    session.forget();
    throw problem;
  }
}

function givenKey() {
  return $('key').value.trim().replace(/^HOLDFAST_API_KEY\s*=\s*/, '').replace(/^(["'])(.*)\1$/, '$2');
}

function keyProblem(key) {
  if (!key) return 'sign_in.missing';
  return /[^\x21-\x7e]/.test(key) ? 'sign_in.not_a_key' : null;
}

function reveal(name, shown) {
  $(name).type = shown ? 'text' : 'password';
  bind($(`${name}-show`), shown ? 'sign_in.hide' : 'sign_in.show');
}

function stored() {
  try {
    const way = localStorage.getItem(WAY);
    return way === 'key' || way === 'password' ? way : null;
  } catch {
    return null;
  }
}

function remember(way) {
  try {
    localStorage.setItem(WAY, way);
  } catch {
    // Storage is disabled: the password is offered first.
  }
}
