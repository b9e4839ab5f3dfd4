package postgres

import (
	"os"
	"testing"

	"github.com/unified-connector/ucf/connectors"
)

// BenchmarkItems lists public.pgbench_accounts of the database in UCF_TEST_PGBENCH_URL with pages of 200, once an
// iteration.
func BenchmarkItems(b *testing.B) {
	url := os.Getenv("UCF_TEST_PGBENCH_URL")
	if url == "" {
		b.Skip("needs UCF_TEST_PGBENCH_URL")
	}
	d := openRaw(b, map[string]any{"dsn": url})
	b.ReportAllocs()
	rows := 0
	for b.Loop() {
		q := connectors.ItemQuery{ContainerID: "public.pgbench_accounts", Limit: 200}
		for {
			p, err := d.ListItems(b.Context(), q)
			if err != nil {
				b.Fatal(err)
			}
			rows += len(p.Items)
			if p.Next == "" {
				break
			}
			q.Cursor = p.Next
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
