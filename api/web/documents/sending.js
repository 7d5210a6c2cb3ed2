// The sign in the header that files are being uploaded, while their knowledge base is not what is shown.

import { $ } from '../shared/dom.js';
import { bind } from '../shared/i18n.js';
import { percent } from '../shared/format.js';
import { documentsAddress, here } from '../shared/route.js';

/**
 * Show what goes on: `sent` of `total` bytes of `files` files to the knowledge base `kb`, `left` that were not accepted;
 * the first knowledge base that has any, unless its documents are shown.
 */
export function showSending(all) {
  const { kb: shown, panel } = here();
  const away = all.filter(({ kb, files, left }) => (files || left) && !(kb === shown && panel === 'documents'));
  const first = away.find(({ files }) => files) || away[0];
  $('sending').hidden = !first;
  if (!first) return;
  const { kb, files, left, sent, total } = first;
  $('sending').href = documentsAddress(kb);
  $('sending').dataset.state = files ? 'uploading' : 'failed';
  const share = () => percent(total ? Math.min(1, Math.floor((100 * sent) / total) / 100) : 0);
  if (files) bind($('sending-text'), 'upload.away', { n: files, kb, percent: share });
  else bind($('sending-text'), 'upload.away_left', { n: left, kb });
}

/** Add up the jobs of single files and the uploads of batches, by knowledge base. */
export function tally(jobs, failed, uploads) {
  const all = new Map();
  const of = (kb) => {
    if (!all.has(kb)) all.set(kb, { kb, files: 0, left: 0, sent: 0, total: 0 });
    return all.get(kb);
  };
  for (const job of jobs) {
    const sum = of(job.kb);
    if (failed.has(job)) sum.left += 1;
    else {
      sum.files += 1;
      sum.sent += job.sent;
      sum.total += job.file.size;
    }
  }
  for (const upload of uploads) {
    const sum = of(upload.kb);
    if (upload.isOver) sum.left += upload.left.length;
    else {
      sum.files += upload.files.length - upload.accepted;
      sum.sent += upload.sent;
      sum.total += upload.total;
    }
  }
  return [...all.values()];
}
