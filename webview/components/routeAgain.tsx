/** Routes the text as it is now, with the model that is in use now. */
import { inability } from '../store/reasons.js';
import { t } from '../look/strings.js';
import { useStore } from './context.js';
import { Button } from './controls.js';

export function RouteAgain({ focus, words = t('routeAgain') }: { readonly focus: string; readonly words?: string }) {
  const store = useStore();
  return (
    <Button
      press={() => store.send({ type: 'again' })}
      reason={inability(store, 'route')}
      class="link"
      data-focus={focus}
    >
      {words}
    </Button>
  );
}
