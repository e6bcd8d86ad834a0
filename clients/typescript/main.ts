// Opens an account, posts a car, and finds it again.
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const baseUrl = process.argv[2] ?? "http://127.0.0.1:8000";
const email = `ts-${Date.now()}@example.com`, password = "Drumul-Taberei-34";
const api = createClient<paths>({ baseUrl });

await api.POST("/api/auth/register/", { body: { name: "Andreea Popescu", email, password } });
const { data: session, error } = await api.POST("/api/auth/login/", { body: { email, password } });
if (!session) throw new Error(error.detail);
api.use({ onRequest: ({ request }) => request.headers.set("Authorization", `Bearer ${session.access}`) });

const { data: post, error: refused } = await api.POST("/api/carposts/", {
  body: { make: "Škoda", model: "Octavia", year: 2021, price: "180", currency: "RON", price_period: "day" },
});
if (!post) throw new Error(refused.errors?.map((e) => `${e.field}: ${e.message}`).join(", ") ?? refused.detail);
const { data: list } = await api.GET("/api/carposts/", { params: { query: { owner: "me", q: "skoda" } } });
const found = list?.results.find((one) => one.id === post.id);
if (!found || found.photos.length !== 0) throw new Error("the post is not found");
console.log(`TypeScript: ${found.make} ${found.model}, ${found.price} ${found.currency} a ${found.price_period}`);
