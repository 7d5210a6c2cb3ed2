// The addresses of the audit page, and who may see it.
//   #/audit                 the events (?kb, actor, action, object, name, version, outcome, since, until: those that match)
//   #/audit/documents/ID    the answers that used a document (?version=…: that version)
//   #/audit/questions/ID    the record of a question

const PLACE = /^#\/audit(?:\/(documents|questions)\/([^/?]+))?\/?(?:\?(.*))?$/;
const ROLES = ['auditor', 'admin'];

/** The filters of events, as parameters of the API and of the address. */
export const FILTERS = ['kb', 'actor', 'action', 'object', 'name', 'version', 'outcome', 'since', 'until'];

/** Whether a role may read the audit trail. */
export const mayAudit = (role) => ROLES.includes(role);

/** Whether the current address is that of the audit page. */
export const atAudit = () => PLACE.test(location.hash);

/** The current address → {part: null, 'documents' or 'questions', id, query}. */
export function auditHere() {
  const [, part, id, query] = PLACE.exec(location.hash) || [];
  try {
    return { part: part || null, id: id ? decodeURIComponent(id) : null, query: new URLSearchParams(query || '') };
  } catch {
    return { part: null, id: null, query: new URLSearchParams() };
  }
}

const address = (path, params) => {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value));
  return `#/audit${path}${query.size ? `?${query}` : ''}`;
};

/** `wanted` has some of FILTERS. */
export const eventsAddress = (wanted = {}) => address('', wanted);
export const answersAddress = (id, version = '') => address(`/documents/${encodeURIComponent(id)}`, { version });
export const recordAddress = (id) => address(`/questions/${encodeURIComponent(id)}`, {});
