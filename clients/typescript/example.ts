// Sends a look, waits for its match, and prints what each layer may be bought as.
import createClient from "openapi-fetch";

import type { components, paths } from "./generated/schema.js";

export type LookMatches = components["schemas"]["LookMatches"];

export async function shopTheLook(baseUrl: string, pictureUrl: string): Promise<string[]> {
  const api = createClient<paths>({ baseUrl });
  const sent = await api.POST("/v1/looks", {
    body: { image: { url: pictureUrl }, market: "IN" },
  });
  if (sent.error) throw new Error(`${sent.error.code}: ${sent.error.detail}`);
  const lookId = sent.data.look_id;
  const found = await api.GET("/v1/looks/{look_id}/matches", {
    params: { path: { look_id: lookId }, query: { wait: 20 } },
  });
  if (found.error) throw new Error(`${found.error.code}: ${found.error.detail}`);
  return firstProducts(found.data);
}

export function firstProducts(match: LookMatches): string[] {
  return (match.layers ?? []).flatMap((layer) => {
    const best = layer.products?.[0];
    return best ? [`${layer.layer}: ${best.product.update.title ?? best.product.key}`] : [];
  });
}
