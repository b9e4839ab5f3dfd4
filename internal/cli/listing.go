package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unified-connector/ucf/connectors"
	"github.com/unified-connector/ucf/internal/domain"
	"github.com/unified-connector/ucf/internal/service"
)

// listOptions are the flags of a listing of a connected system.
type listOptions struct {
	given
	limit, pageSize int
	all, raw        bool
	dryRun          bool
	cursor          string
}

func (o *listOptions) flags(cmd *cobra.Command) {
	o.given.flags(cmd)
	f := cmd.Flags()
	f.IntVar(&o.limit, "limit", connectors.DefaultLimit, "how many to list in all, `N`")
	f.BoolVar(&o.all, "all", false, "list all, page after page")
	f.IntVar(&o.pageSize, "page-size", connectors.MaxLimit, "how many to ask for at a time, `N` from 1 to 200")
	f.StringVar(&o.cursor, "cursor", "", "where to go on: the `NEXT` of an earlier listing")
	f.BoolVar(&o.raw, "raw", false, "add the provider's own objects (with -o json, yaml or ndjson)")
	f.BoolVar(&o.dryRun, "dry-run", false, "list nothing; tell what the listing costs")
	cmd.MarkFlagsMutuallyExclusive("limit", "all")
}

// in returns what the service is asked with.
func (c *commandLine) in(s *service.Service, o listOptions, connectorID string) (service.ListIn, error) {
	in := service.ListIn{ConnectorID: connectorID, ConnectionID: c.flags.connection, Cursor: o.cursor, Limit: o.pageSize, Raw: o.raw}
	if !o.all && o.limit < 1 {
		return in, connectors.InvalidFields(connectors.Fault{Field: "limit", Message: "must be at least 1; --all lists everything"})
	}
	if o.pageSize < 1 || o.pageSize > connectors.MaxLimit {
		return in, connectors.InvalidFields(connectors.Fault{Field: "page-size", Message: fmt.Sprintf("must be between 1 and %d", connectors.MaxLimit)})
	}
	def, err := c.definition(s, connectorID)
	if err != nil {
		return in, err
	}
	if in.ConnectionID == "" {
		in.Config, err = c.config(o.given, def)
	}
	return in, err
}

// errEnough ends a listing that has as many entries as were asked for.
var errEnough = errors.New("enough")

// each hands over page after page: all of them, or as many as hold o.limit entries. Whole pages are read in one go,
// the rest of a limit with a page of just that size, so that the last cursor is right behind the last entry.
func each[T any](o listOptions, in *service.ListIn, pages func(all bool, yield func(connectors.Page[T]) error) error, yield func(connectors.Page[T]) error) error {
	if o.all {
		return pages(true, yield)
	}
	left, last := o.limit, false
	counted := func(p connectors.Page[T]) error {
		left -= len(p.Items)
		in.Cursor, last = string(p.Next), p.Next == ""
		if err := yield(p); err != nil {
			return err
		}
		if left < o.pageSize {
			return errEnough
		}
		return nil
	}
	for left > 0 && !last {
		in.Limit = min(o.pageSize, left)
		if err := pages(left >= o.pageSize, counted); err != nil && !errors.Is(err, errEnough) {
			return err
		}
	}
	return nil
}

func (c *commandLine) containersCmd() *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use: "containers CONNECTOR", Short: "List containers: projects, spaces, tables", Args: args("CONNECTOR"),
		Example:           "  ucf containers jira\n  ucf containers postgres --all -o ndjson",
		ValidArgsFunction: c.completeConnectors,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.dryRun {
				return estimate(cmd.Context(), c, o, args[0], func(ctx context.Context, s *service.Service, t domain.Tenant, in service.ListIn) (connectors.Estimate, error) {
					return s.EstimateContainers(ctx, t, service.ContainersIn{ListIn: in})
				})
			}
			return list(c, o, args[0], containerView, encodeJSON[connectors.Container],
				func(ctx context.Context, s *service.Service, t domain.Tenant, in service.ListIn, all bool, y func(connectors.Page[connectors.Container]) error) error {
					return s.EachContainerPage(ctx, t, service.ContainersIn{ListIn: in}, all, y)
				}, cmd.Context())
		},
	}
	o.flags(cmd)
	return cmd
}

func (c *commandLine) itemsCmd() *cobra.Command {
	var o listOptions
	var container, after, query string
	cmd := &cobra.Command{
		Use: "items CONNECTOR", Short: "List items: issues, pages, records, rows", Args: args("CONNECTOR"),
		Example: "  ucf items jira --container PAY\n  ucf items jira --updated-after 24h --query 'assignee = currentUser()'\n" +
			"  ucf items postgres --container public.orders --all -o ndjson",
		ValidArgsFunction: c.completeConnectors,
		RunE: func(cmd *cobra.Command, args []string) error {
			since, err := parseSince(after, time.Now())
			if err != nil {
				return err
			}
			asked := service.ItemsIn{ContainerID: container, UpdatedAfter: since, Query: query}
			if o.dryRun {
				return estimate(cmd.Context(), c, o, args[0], func(ctx context.Context, s *service.Service, t domain.Tenant, in service.ListIn) (connectors.Estimate, error) {
					asked.ListIn = in
					return s.EstimateItems(ctx, t, asked)
				})
			}
			return list(c, o, args[0], c.itemView(args[0]), func(b []byte, it *connectors.Item) ([]byte, error) { return it.AppendJSON(b) },
				func(ctx context.Context, s *service.Service, t domain.Tenant, in service.ListIn, all bool, y func(connectors.Page[connectors.Item]) error) error {
					asked.ListIn = in
					return s.EachItemPage(ctx, t, asked, all, y)
				}, cmd.Context())
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&container, "container", "", "only items of this `CONTAINER`")
	cmd.Flags().StringVar(&after, "updated-after", "", "only items changed since a `TIME`: RFC 3339, a day (2026-01-31) or an age (24h, 7d)")
	cmd.Flags().StringVar(&query, "query", "", "a `QUERY` in the system's own language, such as JQL")
	_ = cmd.RegisterFlagCompletionFunc("container", c.completeContainers)
	return cmd
}

func (c *commandLine) commentsCmd() *cobra.Command {
	var o listOptions
	var item string
	cmd := &cobra.Command{
		Use: "comments CONNECTOR --item ITEM", Short: "List the comments on an item", Args: args("CONNECTOR"),
		Example:           "  ucf comments jira --item PAY-1\n  ucf comments jira --item PAY-1 --all -o ndjson",
		ValidArgsFunction: c.completeConnectors,
		RunE: func(cmd *cobra.Command, args []string) error {
			if item == "" {
				return usage("--item is needed: the item by id or by the key people use; see `ucf comments --help`")
			}
			if o.dryRun {
				return estimate(cmd.Context(), c, o, args[0], func(ctx context.Context, s *service.Service, t domain.Tenant, in service.ListIn) (connectors.Estimate, error) {
					return s.EstimateComments(ctx, t, service.CommentsIn{ListIn: in, ItemID: item})
				})
			}
			return list(c, o, args[0], c.commentView, encodeJSON[connectors.Comment],
				func(ctx context.Context, s *service.Service, t domain.Tenant, in service.ListIn, all bool, y func(connectors.Page[connectors.Comment]) error) error {
					return s.EachCommentPage(ctx, t, service.CommentsIn{ListIn: in, ItemID: item}, all, y)
				}, cmd.Context())
		},
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&item, "item", "", "the `ITEM`, by id or by the key people use")
	return cmd
}

// asking is how one kind of listing asks the service.
type asking[T any] func(ctx context.Context, s *service.Service, t domain.Tenant, in service.ListIn, all bool, yield func(connectors.Page[T]) error) error

// list runs one listing and prints it as it comes.
func list[T any](c *commandLine, o listOptions, connectorID string, v func([]T) view, enc func([]byte, *T) ([]byte, error), ask asking[T], ctx context.Context) error { //nolint:revive // the context comes last to keep calls readable
	s, t, err := c.open()
	if err != nil {
		return err
	}
	in, err := c.in(s, o, connectorID)
	if err != nil {
		return err
	}
	out := newStream(c, v, enc)
	err = each(o, &in, func(all bool, yield func(connectors.Page[T]) error) error {
		return ask(ctx, s, t, in, all, yield)
	}, out.page)
	return out.end(err)
}

// estimate prints what a listing costs.
func estimate(ctx context.Context, c *commandLine, o listOptions, connectorID string, ask func(context.Context, *service.Service, domain.Tenant, service.ListIn) (connectors.Estimate, error)) error {
	s, t, err := c.open()
	if err != nil {
		return err
	}
	in, err := c.in(s, o, connectorID)
	if err != nil {
		return err
	}
	e, err := ask(ctx, s, t, in)
	if err != nil {
		return err
	}
	if !o.all {
		e = e.First(int64(o.limit))
	}
	return c.show(e, estimateView(e))
}

func estimateView(e connectors.Estimate) view {
	number := func(n int64, exact bool) string {
		switch {
		case n == connectors.Unknown:
			return "unknown"
		case !exact:
			return "about " + strconv.FormatInt(n, 10)
		}
		return strconv.FormatInt(n, 10)
	}
	points := ""
	if e.Points > 0 {
		points = number(e.Points, e.Exact)
	}
	return view{head: []string{"ENTRIES", "REQUESTS", "POINTS"}, rows: [][]string{{number(e.Entries, e.Exact), number(e.Requests, e.Exact), points}}}
}

func containerView(list []connectors.Container) view {
	v := view{head: []string{"ID", "LABEL", "TYPE"}}
	for _, k := range list {
		v.rows = append(v.rows, []string{k.ID, k.Label, k.Type})
	}
	return v
}

// itemView shows items by the key that people know them by.
func (c *commandLine) itemView(connectorID string) func([]connectors.Item) view {
	return func(list []connectors.Item) view {
		key, title := "", "ID"
		if def, err := c.definition(c.app.Service, connectorID); err == nil && def.ItemKey != "" {
			key, title = def.ItemKey, strings.ToUpper(def.ItemKey)
		}
		v := view{head: []string{title, "NAME", "CONTAINER", "TYPE", "STATUS", "UPDATED"}}
		for _, it := range list {
			id, _ := it.Meta.Get(key).(string)
			kind, _ := it.Meta.Get("issueType").(string)
			status, _ := it.Meta.Get("status").(string)
			v.rows = append(v.rows, []string{cmp.Or(id, it.ID), it.Name, it.ContainerID, cmp.Or(kind, it.Type), status, c.when(it.UpdatedAt)})
		}
		return v
	}
}

func (c *commandLine) commentView(list []connectors.Comment) view {
	v := view{head: []string{"ID", "AUTHOR", "CREATED", "TEXT"}, flex: 3}
	for _, k := range list {
		v.rows = append(v.rows, []string{k.ID, k.Author, c.when(k.CreatedAt), k.Text})
	}
	return v
}

var age = regexp.MustCompile(`^([0-9]{1,5})d$`)

// parseSince reads a time, a day or an age.
func parseSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	if m := age.FindStringSubmatch(s); m != nil {
		days, _ := strconv.Atoi(m[1])
		return now.AddDate(0, 0, -days).UTC(), nil
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return now.Add(-d).UTC(), nil
	}
	return time.Time{}, connectors.InvalidFields(connectors.Fault{
		Field: "updated-after", Message: "must be a time such as 2026-01-31T08:00:00Z, a day such as 2026-01-31, or an age such as 24h or 7d",
	})
}
