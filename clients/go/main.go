// Command example opens an account, posts a car, and finds it again, with the
// client that ogen makes of docs/openapi.yaml.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/ridecopilot/ridecopilot/clients/go/api"
)

// bearer is the access token; the open operations go without.
type bearer struct{ token string }

func (b *bearer) Bearer(context.Context, api.OperationName) (api.Bearer, error) {
	return api.Bearer{Token: b.token}, nil
}

// must returns the answer as a T. With an error, or another type, it ends the program.
func must[T any](answer any, err error) T {
	got, ok := answer.(T)
	if err != nil || !ok {
		log.Fatalf("%+v, %v", answer, err)
	}
	return got
}

func main() {
	ctx, as := context.Background(), &bearer{}
	client := must[*api.Client](api.NewClient(os.Args[1], as))
	email, password := fmt.Sprintf("go-%d@example.com", time.Now().UnixMilli()), "Drumul-Taberei-34"
	must[*api.UserOutHeaders](client.Register(ctx, &api.RegisterBody{Name: "Andreea Popescu", Email: email, Password: password}))
	as.token = must[*api.LoginOutHeaders](client.Login(ctx, &api.LoginBody{Email: email, Password: password})).Response.Access
	post := must[*api.CarPostOutHeaders](client.CreateCarPost(ctx, &api.CarPostBody{
		Make: "Škoda", Model: "Octavia", Year: api.NewNilInt(2021), Price: api.NewStringCarPostBodyPrice("180"),
		Currency: api.NewOptString("RON"), PricePeriod: api.NewNilString("day"),
	}, api.CreateCarPostParams{})).Response
	list := must[*api.ListCarPostOutHeaders](client.ListCarPosts(ctx, api.ListCarPostsParams{Owner: api.NewOptString("me"), Q: api.NewOptString("skoda")}))
	if found := list.Response.Results; len(found) != 1 || found[0].ID != post.ID || found[0].Photos == nil {
		log.Fatalf("the post is not found: %+v", found)
	}
	fmt.Printf("Go: %s %s, %s %s a %s\n", post.Make, post.Model, post.Price.Value, post.Currency, post.PricePeriod.Value)
}
