// Puts an auditor's key into a cookie that only the codec endpoint gets, or takes it away again.

const key = document.getElementById('key');
const result = document.getElementById('result');

async function send(method, headers = {}) {
  const response = await fetch('/codec/session', { method, headers, credentials: 'same-origin' });
  if (response.ok) {
    result.textContent = '✓';
    return;
  }
  const problem = await response.json().catch(() => ({}));
  result.textContent = problem.detail || String(response.status);
}

document.getElementById('form').addEventListener('submit', (event) => {
  event.preventDefault();
  send('POST', { Authorization: `Bearer ${key.value.trim()}` });
  key.value = '';
});

document.getElementById('end').addEventListener('click', () => send('DELETE'));
