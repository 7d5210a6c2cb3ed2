// A question set of a file, as the command line takes it: a JSON list, {"questions": […]}, or JSON lines.

const LISTS = ['document', 'answer'];
const FIELDS = ['question', ...LISTS, 'passage', 'absent'];

const lines = (text) => text.split('\n').filter((line) => line.trim()).map((line) => JSON.parse(line));

/** The questions of a text as the API takes them. Throws SyntaxError for what is no set; the server checks the rest. */
export function questionsOf(text) {
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    found = lines(text);
  }
  const items = Array.isArray(found) ? found : found?.questions || [found];
  if (!Array.isArray(items) || !items.length) throw new SyntaxError('no questions');
  return items.map((item) => {
    if (!item || typeof item.question !== 'string') throw new SyntaxError('no question');
    const given = FIELDS.filter((name) => item[name] !== undefined && item[name] !== null);
    return Object.fromEntries(given.map((name) => [name, LISTS.includes(name) ? [item[name]].flat() : item[name]]));
  });
}
