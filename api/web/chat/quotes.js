// Positions of quotes in a passage, ignoring white space, letter case and Unicode forms of a letter.

function compact(text) {
  let letters = '';
  const at = []; // position in the text of each letter
  for (let index = 0; index < text.length; index += 1) {
    const plain = text[index].normalize('NFKC').toLowerCase().replace(/\s/g, '');
    letters += plain;
    for (let n = 0; n < plain.length; n += 1) at.push(index);
  }
  return { letters, at };
}

/** The ranges [from, to) of `text` that match one of `quotes`, in order, without overlaps. */
export function rangesOf(text, quotes) {
  const { letters, at } = compact(text);
  const found = quotes.map((quote) => {
    const wanted = compact(quote).letters;
    const start = wanted ? letters.indexOf(wanted) : -1;
    return start < 0 ? null : [at[start], at[start + wanted.length - 1] + 1];
  }).filter(Boolean).sort(([a], [b]) => a - b);
  const merged = [];
  for (const [from, to] of found) {
    const before = merged.at(-1);
    if (before && from <= before[1]) before[1] = Math.max(before[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** Whether a text contains a quote. */
export const holds = (text, quote) => rangesOf(text, [quote]).length > 0;
