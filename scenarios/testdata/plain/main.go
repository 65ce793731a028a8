// Command plain is a server that knows nothing of portlab: its answers do not
// say who gave them.
package main

import (
	"log"
	"net/http"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := w.Write([]byte("hi\n")); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe(":3000", nil)) //nolint:gosec // a server for one test
}
