import { useStore } from '../components/context.js';
import { t } from '../look/strings.js';

/** What the source warns about (what it left out, what it does not compute exactly): one line that opens to show the texts. */
export function Warnings() {
  const warnings = useStore().description.value?.warnings ?? [];
  if (warnings.length === 0) return null;
  return (
    <details class="warning">
      <summary>{t('poolWarnings', warnings.length)}</summary>
      <ul>
        {warnings.map(({ text }, i) => (
          <li key={i}>{text}</li>
        ))}
      </ul>
    </details>
  );
}
