import { useStore } from '../components/context.js';
import { t } from '../look/strings.js';

/** What the source left out or placed in part: one line that opens to the reasons. */
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
