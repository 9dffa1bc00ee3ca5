import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Store } from '../store/store.js';

const context = createContext<Store | undefined>(undefined);

export const StoreProvider = context.Provider;

export function useStore(): Store {
  return useContext(context)!;
}
