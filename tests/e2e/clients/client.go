// grpc-go against the service demo.Words (grpc_origin.py), whose messages are plain bytes. What it
// heard goes to standard output as one line of JSON.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type plain struct{}

func (plain) Marshal(v interface{}) ([]byte, error) { return *v.(*[]byte), nil }
func (plain) Unmarshal(data []byte, v interface{}) error {
	*v.(*[]byte) = append([]byte{}, data...)
	return nil
}
func (plain) Name() string { return "proto" }

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

func dial(host string) *grpc.ClientConn {
	connection, err := grpc.Dial(host+":443",
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{})),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(plain{})))
	must(err)
	return connection
}

func limited(seconds float64) context.Context {
	ctx, _ := context.WithTimeout(context.Background(), time.Duration(seconds*float64(time.Second)))
	return ctx
}

func unary(host, method, text string, seconds float64) (string, error) {
	outgoing := metadata.AppendToOutgoingContext(limited(seconds), "x-from", "grpc-go")
	request, answer := []byte(text), []byte{}
	err := dial(host).Invoke(outgoing, "/demo.Words/"+method, &request, &answer)
	return string(answer), err
}

func stream(method string, client, server bool, texts []string) []string {
	about := &grpc.StreamDesc{ClientStreams: client, ServerStreams: server}
	line, err := dial("grpc.demo.test").NewStream(limited(20), about, "/demo.Words/"+method)
	must(err)
	for _, text := range texts {
		bytes := []byte(text)
		must(line.SendMsg(&bytes))
	}
	must(line.CloseSend())
	heard := []string{}
	for {
		answer := []byte{}
		err := line.RecvMsg(&answer)
		if err == io.EOF {
			return heard
		}
		must(err)
		heard = append(heard, string(answer))
	}
}

func failure(err error) []string {
	told := status.Convert(err)
	return []string{told.Code().String(), told.Message()}
}

func main() {
	answers := map[string]interface{}{}
	echoed, err := unary("grpc.demo.test", "Echo", "hello", 20)
	must(err)
	big := strings.Repeat("0123456789", 200000)
	large, err := unary("grpc.demo.test", "Echo", big, 20)
	must(err)
	answers["echo"] = echoed
	answers["large"] = large == big
	answers["join"] = stream("Join", true, false, []string{"a", "b", "c"})
	answers["split"] = stream("Split", false, true, []string{"a b c"})
	answers["talk"] = stream("Talk", true, true, []string{"a", "b", "c"})
	_, err = unary("grpc.demo.test", "Fail", "", 20)
	answers["fail"] = failure(err)
	_, err = unary("grpc.demo.test", "Wait", "", 1)
	answers["wait"] = failure(err)
	_, err = unary("evil.example", "Echo", "", 20)
	answers["denied"] = failure(err)
	must(json.NewEncoder(os.Stdout).Encode(answers))
}
