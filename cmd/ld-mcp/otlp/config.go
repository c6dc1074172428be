package otlp

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Config says where spans go.
type Config struct {
	Endpoint  *url.URL
	Header    http.Header
	Timeout   time.Duration // of one try
	Gzip      bool
	TLS       *tls.Config // nil for the system's certificates
	Asked     string      // the protocol that the environment names
	UserAgent string
}

// environment reads OpenTelemetry's variables, those for traces before those for every signal.
type environment func(name string) string

func (e environment) value(name string) (variable, value string) {
	for _, variable = range []string{"OTEL_EXPORTER_OTLP_TRACES_" + name, "OTEL_EXPORTER_OTLP_" + name} {
		if value = strings.TrimSpace(e(variable)); value != "" {
			break
		}
	}
	return variable, value
}

// FromEnvironment reads OpenTelemetry's own variables. It returns nil where they name no collector. Its errors hold
// no value that may be a secret.
func FromEnvironment(getenv func(name string) string) (*Config, error) {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") || getenv("OTEL_TRACES_EXPORTER") == "none" {
		return nil, nil //nolint:nilnil // no tracing is no failure
	}
	e := environment(getenv)
	variable, endpoint := e.value("ENDPOINT")
	if endpoint == "" {
		return nil, nil //nolint:nilnil // nor is this
	}
	c := &Config{Timeout: 10 * time.Second}
	var err error
	if c.Endpoint, err = url.Parse(endpoint); err != nil || c.Endpoint.Scheme != "http" && c.Endpoint.Scheme != "https" || c.Endpoint.Host == "" {
		return nil, fmt.Errorf("%s is not an address; write it like http://localhost:4318", variable)
	}
	if !strings.Contains(variable, "_TRACES_") {
		c.Endpoint = c.Endpoint.JoinPath("v1", "traces")
	}
	if c.Endpoint.Path == "" {
		c.Endpoint.Path = "/"
	}
	if variable, c.Asked = e.value("PROTOCOL"); c.Asked == "grpc" {
		return nil, fmt.Errorf("%s is grpc, and traces are sent over HTTP in JSON only; set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL to http/json and OTEL_EXPORTER_OTLP_TRACES_ENDPOINT to the collector's address for HTTP, such as http://localhost:4318/v1/traces", variable)
	} else if c.Asked != "" && c.Asked != "http/json" && c.Asked != "http/protobuf" {
		return nil, fmt.Errorf("%s is %q, which is no protocol; set it to http/json", variable, c.Asked)
	}
	switch variable, compression := e.value("COMPRESSION"); compression {
	case "", "none":
	case "gzip":
		c.Gzip = true
	default:
		return nil, fmt.Errorf("%s is %q; set it to gzip or none", variable, compression)
	}
	if variable, ms := e.value("TIMEOUT"); ms != "" {
		n, err := strconv.ParseInt(ms, 10, 32)
		if err != nil || n <= 0 {
			return nil, fmt.Errorf("%s is %q; write the milliseconds as a number, such as 10000", variable, ms)
		}
		c.Timeout = time.Duration(n) * time.Millisecond
	}
	if c.Header, err = e.header(); err != nil {
		return nil, err
	}
	c.TLS, err = e.tls()
	return c, err
}

func (e environment) header() (http.Header, error) {
	variable, list := e.value("HEADERS")
	h := http.Header{}
	for pair := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, escaped, found := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		value, err := url.PathUnescape(strings.TrimSpace(escaped))
		if !found || err != nil || !isHeader(name, value) {
			return nil, fmt.Errorf("%s: one of the headers is not written as name=value; separate them by commas, and write other signs in a value as %%2C", variable)
		}
		h.Set(name, value)
	}
	return h, nil
}

func isHeader(name, value string) bool {
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }
	return name != "" && !strings.ContainsFunc(name, odd) && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func (e environment) tls() (*tls.Config, error) {
	var c *tls.Config
	if variable, file := e.value("CERTIFICATE"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", variable, err)
		}
		c = &tls.Config{RootCAs: x509.NewCertPool()}
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s: %s holds no certificate; name a PEM file", variable, file)
		}
	}
	variable, file := e.value("CLIENT_CERTIFICATE")
	other, key := e.value("CLIENT_KEY")
	if file == "" && key == "" {
		return c, nil
	}
	if file == "" || key == "" {
		return nil, fmt.Errorf("%s and %s belong together; set both", variable, other)
	}
	own, err := tls.LoadX509KeyPair(file, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	if c == nil {
		c = &tls.Config{}
	}
	c.Certificates = []tls.Certificate{own}
	return c, nil
}
