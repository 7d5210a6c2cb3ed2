// What an event says, as a sentence in the reader's language.

import { has, t } from '../shared/i18n.js';

const ACTORS = {
  system: 'audit.system', temporal: 'audit.temporal', unknown: 'audit.unknown', anonymous: 'audit.unknown',
  'identity-provider': 'audit.provider',
};

/** Who did it, in the current language. */
export const actorName = (actor) => (Object.hasOwn(ACTORS, actor) ? t(ACTORS[actor]) : actor);

/** The sentence of an event, as a key and its parameters. */
export function sentence({ action, actor, outcome, object_name: name }) {
  const key = has(`did.${action}`) ? `did.${action}` : 'audit.other';
  const what = () => (name ? t('audit.named', { name }) : '');
  return [key, { actor: () => actorName(actor), ok: outcome === 'done' ? 1 : 0, what, action }];
}

/** What an action is, without an event. */
export const actionText = (action) => [`did.${action}`, { actor: '…', ok: 1, what: '' }];
